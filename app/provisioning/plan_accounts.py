"""Plan of provider accounts; one account may serve several workspaces. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from app.provisioning.desired import DesiredAccount, DesiredWorkspace
from app.provisioning.problems import FileProblems, step
from app.provisioning.records import UNREADABLE, AccountRecord, Current, Step


@dataclass(slots=True)
class _Tokens:
    """Every mention of one account; each token with its place."""

    first: DesiredAccount
    given: dict[str, tuple[str, str]] = field(default_factory=dict, repr=False)

    def take(self, account: DesiredAccount, problems: FileProblems) -> None:
        tokens = {
            "auth_token": account.auth_token,
            "next_auth_token": account.next_auth_token,
        }
        for name, token in tokens.items():
            if token is None:
                continue
            place = step(account.place, name)
            known, known_place = self.given.setdefault(name, (token, place))
            if known != token:
                problems.add(place, f"Is not the token given for this account at {known_place}.")


def plan_accounts(
    workspaces: Iterable[DesiredWorkspace],
    current: Current,
    organization_id: UUID,
    problems: FileProblems,
) -> list[Step[AccountRecord]]:
    """Bring together what the workspaces say of each account of an organization."""
    found: dict[str, _Tokens] = {}
    for workspace in workspaces:
        account = workspace.twilio
        if account is not None and account.account_sid:
            tokens = found.setdefault(account.account_sid, _Tokens(account))
            tokens.take(account, problems)
    return [
        _plan_account(tokens, current.accounts.get(sid), organization_id, problems)
        for sid, tokens in found.items()
    ]


def refuse_foreign_accounts(
    steps: Iterable[Step[AccountRecord]],
    current: Current,
    organization_id: UUID,
    problems: FileProblems,
) -> None:
    """Note every account that is linked to another organization than the file's."""
    for each in steps:
        if each.before is not None and each.before.organization_id != organization_id:
            owner = current.organizations[each.before.organization_id].name
            place = step(each.place, "account_sid")
            problems.add(place, f"Is linked to the organization {owner!r}: unlink it there first.")


def _plan_account(
    tokens: _Tokens, before: AccountRecord | None, organization_id: UUID, problems: FileProblems
) -> Step[AccountRecord]:
    place = tokens.first.place
    token, _ = tokens.given.get("auth_token", (None, ""))
    if before is None:
        text = "Is needed for an account that is new."
        problems.require(token, step(place, "auth_token"), text)
    following, _ = tokens.given.get("next_auth_token", (None, ""))
    if following is None and before is not None:
        following = before.next_auth_token
    elif following == "":
        following = None
    kept = before.auth_token if before else UNREADABLE
    return Step(
        place,
        before,
        AccountRecord(
            sid=tokens.first.account_sid,
            organization_id=organization_id,
            auth_token=kept if token is None else token,
            next_auth_token=following,
        ),
    )
