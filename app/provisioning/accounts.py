"""What the file makes of provider accounts; one account may serve several workspaces. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from app.provisioning.desired import DesiredAccount, DesiredWorkspace
from app.provisioning.mistakes import Mistakes, step
from app.provisioning.records import UNREADABLE, AccountRecord, Step


@dataclass(slots=True)
class _Tokens:
    """What all mentions of one account say together; each token with the place that says it."""

    first: DesiredAccount
    given: dict[str, tuple[str, str]] = field(default_factory=dict, repr=False)

    def take(self, account: DesiredAccount, mistakes: Mistakes) -> None:
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
                mistakes.add(place, f"Is not the token given for this account at {known_place}.")


def aim_accounts(
    workspaces: Iterable[DesiredWorkspace],
    stored: Mapping[str, AccountRecord],
    mistakes: Mistakes,
) -> list[Step[AccountRecord]]:
    """Bring together what the workspaces say of each account."""
    found: dict[str, _Tokens] = {}
    for workspace in workspaces:
        account = workspace.twilio
        if account is not None and account.account_sid:
            tokens = found.setdefault(account.account_sid, _Tokens(account))
            tokens.take(account, mistakes)
    return [_aim(tokens, stored.get(sid), mistakes) for sid, tokens in found.items()]


def _aim(tokens: _Tokens, before: AccountRecord | None, mistakes: Mistakes) -> Step[AccountRecord]:
    place = tokens.first.place
    token, _ = tokens.given.get("auth_token", (None, ""))
    if before is None:
        text = "Is needed for an account that is new."
        mistakes.require(token, step(place, "auth_token"), text)
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
            auth_token=kept if token is None else token,
            next_auth_token=following,
        ),
    )
