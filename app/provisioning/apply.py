"""The operations `apply` and `plan`."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from app.db.encryption import Cipher
from app.db.engine import Database
from app.provisioning.current import Named, load_current, lock_for_applying
from app.provisioning.desired import Desired, DesiredKey, DesiredUseCase, DesiredWorkspace
from app.provisioning.diff import PlannedChange, list_changes
from app.provisioning.execute import NewTokens, execute
from app.provisioning.guards import gives_guards
from app.provisioning.parse import parse_desired
from app.provisioning.plan import make_plan
from app.provisioning.problems import THE_FILE, FileProblem, FileProblems, FileRefused, step
from app.provisioning.records import Plan


def check_nothing_twice(desired: Desired, problems: FileProblems) -> None:
    """Add a problem for every repeated name, id and sender."""
    _check_keys(desired.organization.access_keys, problems)
    workspaces = desired.workspaces
    _note_repeated(((w.id, step(w.place, "id")) for w in workspaces), problems)
    _note_repeated(((w.name, step(w.place, "name")) for w in workspaces), problems)
    use_cases = [use_case for workspace in workspaces for use_case in workspace.use_cases]
    _note_repeated(((u.id, step(u.place, "id")) for u in use_cases), problems)
    for workspace in workspaces:
        _check_workspace(workspace, problems)


def _check_workspace(workspace: DesiredWorkspace, problems: FileProblems) -> None:
    _check_keys(workspace.access_keys, problems)
    named = [use_case for use_case in workspace.use_cases if not _goes_by_id(use_case)]
    _note_repeated(((u.name, step(u.place, "name")) for u in named), problems)
    for use_case in workspace.use_cases:
        senders = use_case.senders or ()
        _note_repeated(((s.number, step(s.place, "number")) for s in senders), problems)


def _goes_by_id(use_case: DesiredUseCase) -> bool:
    # The name of what is deleted by its id is free for another in the same file.
    return use_case.deleted is True and use_case.id is not None


def _check_keys(keys: Iterable[DesiredKey], problems: FileProblems) -> None:
    _note_repeated(((key.name, step(key.place, "name")) for key in keys), problems)


def _note_repeated(
    values_at_places: Iterable[tuple[Hashable, str]], problems: FileProblems
) -> None:
    first_at: dict[Hashable, str] = {}
    for value, place in values_at_places:
        if value is None:
            continue
        if value in first_at:
            problems.add(place, f"Stands twice: first at {first_at[value]}.")
        first_at.setdefault(value, place)


@dataclass(frozen=True, slots=True)
class Result:
    """The result of an apply, with the tokens of new keys."""

    planned: Plan = field(repr=False)
    tokens: NewTokens = field(repr=False)
    changes: tuple[PlannedChange, ...]

    def new_tokens(self) -> list[tuple[str, str, str]]:
        """Return scope, name and token of each key that was made."""
        names = self.planned.workspace_names
        return [
            (names[where] if where else self.planned.organization.after.name, name, token)
            for (where, name), token in self.tokens.items()
        ]

    def as_json(self) -> dict[str, Any]:
        """Return ids, names and new tokens as `apply --json` prints them."""
        owner = self.planned.organization.after
        return {
            "organization": {
                "id": str(owner.id),
                "name": owner.name,
                "access_keys": self._keys(None),
            },
            "workspaces": [
                {
                    "id": str(aim.after.id),
                    "name": aim.after.name,
                    "access_keys": self._keys(aim.after.id),
                    "use_cases": self._use_cases(aim.after.id),
                }
                for aim in self.planned.workspaces
            ],
        }

    def _keys(self, workspace_id: UUID | None) -> list[dict[str, str | None]]:
        return [
            {"name": aim.after.name, "token": self.tokens.get((workspace_id, aim.after.name))}
            for aim in self.planned.keys
            if aim.after.workspace_id == workspace_id
        ]

    def _use_cases(self, workspace_id: UUID) -> list[dict[str, str]]:
        return [
            {"id": str(aim.after.id), "name": aim.after.name}
            for aim in self.planned.use_cases
            if aim.after.workspace_id == workspace_id and aim.after.deleted_at is None
        ]


def apply(
    database: Database,
    cipher: Cipher,
    data: object,
    *,
    environ: Mapping[str, str],
    now: datetime,
) -> Result:
    """Make the database match parsed data in one transaction; omitted values stay.

    Raises:
        FileRefused: with every problem; nothing was changed.
        ServiceUnavailable: the database cannot be reached or cannot commit.
    """
    try:
        with database.writing() as connection:
            lock_for_applying(connection)
            planned = _planned(connection, cipher, data, environ, now)
            tokens = execute(connection, planned, cipher, now)
    except IntegrityError as problem:
        text = "The database was changed from elsewhere meanwhile: apply the file again."
        raise FileRefused(FileProblem(THE_FILE, text)) from problem
    return Result(planned, tokens, list_changes(planned, now))


def plan(
    database: Database,
    cipher: Cipher,
    data: object,
    *,
    environ: Mapping[str, str],
    now: datetime,
) -> tuple[PlannedChange, ...]:
    """List the changes that `apply` would make.

    Raises:
        FileRefused: with every problem.
        ServiceUnavailable: the database cannot be reached.
    """
    with database.reading() as connection:
        return list_changes(_planned(connection, cipher, data, environ, now), now)


def _planned(
    connection: Connection,
    cipher: Cipher,
    data: object,
    environ: Mapping[str, str],
    now: datetime,
) -> Plan:
    problems = FileProblems()
    desired = parse_desired(data, environ, problems)
    check_nothing_twice(desired, problems)
    return make_plan(desired, load_current(connection, cipher, _named(desired), now), problems, now)


def _named(desired: Desired) -> Named:
    accounts = (workspace.twilio for workspace in desired.workspaces)
    with_map = [each for each in desired.workspaces if each.destinations is not None]
    with_guards = [each for each in desired.workspaces if gives_guards(each)]
    return Named(
        account_sids=frozenset(account.account_sid for account in accounts if account is not None),
        with_map=_known_by(with_map),
        with_guards=_known_by(with_guards),
    )


def _known_by(entries: Iterable[DesiredWorkspace]) -> frozenset[UUID | str | None]:
    return frozenset(known_by for each in entries for known_by in (each.id, each.name))
