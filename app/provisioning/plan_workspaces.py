"""Plan of workspaces with their provider accounts, country maps and guards."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import select

from app.access.accounts import PATH, WantedAccount, plan_account
from app.access.audit import PrincipalChange
from app.access.tables import organizations, provider_accounts, workspaces
from app.access.workspace_rules import mistake_in_chain
from app.db.encryption import Cipher
from app.db.rows import AnyRow
from app.destinations.manage import own_policy, set_own_policy
from app.destinations.policy.evaluate import Access
from app.destinations.policy.state import PolicyState, country_accesses, country_changes
from app.destinations.storage.policies import load_effective
from app.kernel.errors import ValidationFailed
from app.kernel.ids import new_id, parse_id
from app.provisioning.file import Entry, FileProblems, merge_accounts, step
from app.provisioning.steps import (
    CHANGED,
    Action,
    PlannedChange,
    Step,
    added,
    changed_columns,
    changed_values,
)
from app.tenancy.workspaces import (
    NewWorkspace,
    change_workspace,
    create_workspace,
    forget_unused_account,
)
from app.use_cases.manage import DENIED_BY_ORGANIZATION

_PLAIN = ("name", "home_country", "body_retention_days", "number_retention_days")


@dataclass(frozen=True, slots=True)
class MatchedWorkspace:
    id: UUID
    entry: Entry
    before: AnyRow | None


def match_workspaces(
    context: PrincipalChange, entries: Sequence[Entry], problems: FileProblems
) -> list[MatchedWorkspace]:
    """Find each workspace by id, or by name among those without an id."""
    stored = {row.id: row for row in context.connection.execute(select(workspaces))}
    own = {
        key: row for key, row in stored.items() if row.organization_id == context.organization_id
    }
    claimed = {entry.get("id") for entry in entries}
    by_name = {row.name: row for row in own.values()}
    found = []
    for entry in entries:
        given, holder = entry.get("id"), by_name.get(entry.get("name", ""))
        if given in stored and given not in own:
            text = "Is the id of a workspace of another organization."
            problems.add(entry.at("id"), text)
            continue
        if given is not None:
            before = own.get(given)
        else:
            before = holder if holder is not None and holder.id not in claimed else None
        found.append(
            MatchedWorkspace(given or (new_id() if before is None else before.id), entry, before)
        )
        if holder is not None and holder.id != found[-1].id:
            text = f"Is the name of another workspace, whose id is {holder.id}."
            problems.add(entry.at("name"), text)
    return found


class WorkspacePlanner:
    def __init__(
        self,
        context: PrincipalChange,
        cipher: Cipher,
        found: Sequence[MatchedWorkspace],
        denied: Sequence[str],
        problems: FileProblems,
    ) -> None:
        self._context = context
        self._cipher = cipher
        self._found = found
        self._denied = denied
        self._problems = problems
        own = workspaces.c.organization_id == context.organization_id
        stored = context.connection.execute(select(workspaces).where(own)).all()
        self.names = {row.id: row.name for row in stored}
        self.names |= {each.id: each.entry["name"] for each in found if "name" in each.entry}
        self._parents = self._resolve_parents({row.id: row.parent_id for row in stored})
        self._accounts = merge_accounts([each.entry for each in found], problems)

    def _resolve_parents(self, parents: dict[UUID, UUID | None]) -> dict[UUID, UUID | None]:
        by_name = {name: workspace_id for workspace_id, name in self.names.items()}
        for each in self._found:
            parents.setdefault(each.id, None)
            given = each.entry.get("parent")
            if given is not None:
                as_id = parse_id(given)
                parent = by_name.get(given) if as_id is None else as_id
                parents[each.id] = parent if parent in self.names else None
                if given and parents[each.id] is None:
                    self._problems.add(each.entry.at("parent"), "There is no such workspace.")
        for each in (each for each in self._found if each.entry.get("parent")):
            wrong = mistake_in_chain(each.id, parents)
            if wrong:
                self._problems.add(each.entry.at("parent"), wrong)
        return parents

    def steps(self) -> Iterator[Step]:
        """New workspaces, parents first, then policies, then changes."""
        account_changes = {each.id: self._account_changes(each) for each in self._found}
        stored = [each for each in self._found if each.before is not None]
        new = [each for each in self._found if each.before is None]
        for each in sorted(new, key=self._depth):
            yield from self._creation(each, account_changes[each.id])
        for each in stored:
            yield from self._policy(each)
        for each in stored:
            yield self._change(each, account_changes[each.id])
        for each in stored:
            left = each.before.account_sid if each.before is not None else None
            if left is not None and each.entry.get("twilio", {}).get("account_sid", left) != left:
                run = partial(forget_unused_account, self._context, left, each.id)
                yield Step((), run, always=True)

    def _depth(self, each: MatchedWorkspace) -> int:
        depth, at, seen = 0, self._parents[each.id], {each.id}
        while at is not None and at not in seen:
            seen.add(at)
            depth, at = depth + 1, self._parents.get(at)
        return depth

    def _creation(
        self, each: MatchedWorkspace, of_account: tuple[PlannedChange, ...]
    ) -> Iterator[Step]:
        entry, parent_id = each.entry, self._parents[each.id]
        text = "Is needed for a workspace that is new."
        for name in ("name", "home_country"):
            self._problems.require(entry.get(name), entry.at(name), text)
        inherits = parent_id is not None and "destinations" not in entry
        home = entry.get("home_country", "")
        if "destinations" in entry:
            destinations = self._map(entry)
        else:
            destinations = {home: Access.ALLOWED.value}
            if not inherits and home in self._denied:
                text = f"{DENIED_BY_ORGANIZATION[:-1]}: say which are allowed instead."
                self._problems.add(entry.at("home_country"), text)
        more = {} if "destinations" not in entry else {"destinations": destinations}
        wanted = self._plain(entry) | more
        own = {"workspace_id": each.id, "parent_id": parent_id, "inherits": inherits}

        def run() -> None:
            new = NewWorkspace(**wanted | own, twilio=self._account(entry))
            create_workspace(self._context, self._cipher, new)

        opened = () if inherits else self._countries(entry.place, PolicyState(), destinations)
        yield Step((*added(entry.place, entry.get("name", "")), *opened, *of_account), run)

    def _change(self, each: MatchedWorkspace, of_account: tuple[PlannedChange, ...]) -> Step:
        entry, parent_id = each.entry, self._parents[each.id]
        before = each.before._asdict() if each.before is not None else {}
        wanted = self._plain(entry) | {"parent_id": parent_id}
        inherits = before["inherits_destinations"] and "destinations" not in entry
        if inherits and parent_id is None and entry.get("parent") == "":
            text = "The workspace inherits its destinations: give it destinations of its own."
            self._problems.add(entry.at("parent"), text)
        order = ("name", "home_country", "parent_id", "account_sid", "acknowledges_high_risk")
        columns = {name: wanted[name] for name in order if name in wanted}
        if "account_sid" in entry.get("twilio", {}):
            columns["account_sid"] = entry["twilio"]["account_sid"] or None
        columns |= {name: wanted[name] for name in _PLAIN if name in wanted}

        def run() -> None:
            account = {"twilio": self._account(entry)} if "account_sid" in columns else {}
            of_it = self._context, self._cipher, each.id
            change_workspace(*of_it, wanted | account, forget=False)

        changes = changed_columns(entry.place, before, columns, self.names)
        return Step((*changes, *of_account), run)

    def _plain(self, entry: Entry) -> dict[str, Any]:
        given = {name: entry[name] for name in _PLAIN if name in entry}
        if "acknowledge_high_risk" in entry:
            given["acknowledges_high_risk"] = entry["acknowledge_high_risk"]
        return given

    def _policy(self, each: MatchedWorkspace) -> Iterator[Step]:
        if "destinations" not in each.entry:
            return
        context, wanted = self._context, self._map(each.entry)
        effective = load_effective(context.connection, each.id)
        live = tuple(rule for rule in effective.state.rules if rule.is_live(context.now))
        before = replace(effective.state, rules=live, inherits=effective.inherits)
        place, leaves = each.entry.place, [("inherits_destinations", True, False)]
        yield Step(
            (
                *(changed_values(place, leaves) if effective.inherits else ()),
                *self._countries(place, before, wanted),
            ),
            partial(set_own_policy, context, each.id, wanted),
        )

    def _map(self, entry: Entry) -> dict[str, str]:
        for country, access in entry["destinations"].items():
            if country in self._denied and access == Access.ALLOWED:
                self._problems.add(entry.at("destinations", country), DENIED_BY_ORGANIZATION)
        return dict(entry["destinations"])

    def _countries(
        self, place: str, before: PolicyState, wanted: Mapping[str, str]
    ) -> tuple[PlannedChange, ...]:
        after, now = own_policy(before, wanted), self._context.now
        mapped = country_changes(before.destinations, after.destinations)
        # A country's access may also change by a rule, or stay the same although the map changes.
        held = country_changes(country_accesses(before, now), country_accesses(after, now))
        found = sorted({one.country: one for one in (*mapped, *held)}.items())
        pairs = ((f"destinations.{country}", one.before, one.after) for country, one in found)
        return changed_values(place, pairs)

    def _account(self, entry: Entry) -> WantedAccount | None:
        sid = entry.get("twilio", {}).get("account_sid")
        return self._accounts[sid].wanted if sid else None

    def _account_changes(self, each: MatchedWorkspace) -> tuple[PlannedChange, ...]:
        """Reported at the first workspace of the account."""
        given = each.entry.get("twilio", {})
        sid = given.get("account_sid")
        if not sid or self._accounts[sid].place != given.place:
            return ()
        place, context = given.place, self._context
        query = select(organizations.c.id, organizations.c.name).join(provider_accounts)
        query = query.where(provider_accounts.c.sid == sid)
        owner = context.connection.execute(query).one_or_none()
        if owner is not None and owner.id != context.organization_id:
            text = f"Is linked to the organization {owner.name!r}: unlink it there first."
            self._problems.add(step(place, "account_sid"), text)
            return ()
        of_it = context.connection, self._cipher, context.principal
        try:
            planned = plan_account(*of_it, self._accounts[sid].wanted)
        except ValidationFailed as problem:
            for path, texts in (problem.details or {}).items():
                at = place + path.removeprefix(PATH)
                self._problems.require(None, at, *texts)
            return ()
        if planned.is_new:
            return added(place, sid)
        return tuple(
            PlannedChange(place, Action.REMOVE, name)
            if token is None
            else PlannedChange(place, Action.CHANGE, name, after=CHANGED)
            for name, token in planned.tokens.items()
        )
