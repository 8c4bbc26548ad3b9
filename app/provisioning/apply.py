"""The operations `apply` and `plan`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from app.db.engine import Database
from app.db.vault import Vault
from app.provisioning.change import Change
from app.provisioning.checks import check_nothing_twice
from app.provisioning.desired import Desired, DesiredWorkspace
from app.provisioning.goal import make_goal
from app.provisioning.guards import gives_guards
from app.provisioning.mistakes import THE_FILE, FileRefused, Mistake, Mistakes
from app.provisioning.plan import list_changes
from app.provisioning.records import Goal
from app.provisioning.shape import shape
from app.provisioning.store import NewTokens, carry_out
from app.provisioning.stored import Named, load_stored, lock_for_applying


@dataclass(frozen=True, slots=True)
class Result:
    """The result of an apply, with the tokens of new keys."""

    goal: Goal = field(repr=False)
    tokens: NewTokens = field(repr=False)
    changes: tuple[Change, ...]

    def new_tokens(self) -> list[tuple[str, str, str]]:
        """Return scope, name and token of each key that was made."""
        names = self.goal.workspace_names
        return [
            (names[where] if where else self.goal.organization.after.name, name, token)
            for (where, name), token in self.tokens.items()
        ]

    def as_json(self) -> dict[str, Any]:
        """Return ids, names and new tokens as `apply --json` prints them."""
        owner = self.goal.organization.after
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
                for aim in self.goal.workspaces
            ],
        }

    def _keys(self, workspace_id: UUID | None) -> list[dict[str, str | None]]:
        return [
            {"name": aim.after.name, "token": self.tokens.get((workspace_id, aim.after.name))}
            for aim in self.goal.keys
            if aim.after.workspace_id == workspace_id
        ]

    def _use_cases(self, workspace_id: UUID) -> list[dict[str, str]]:
        return [
            {"id": str(aim.after.id), "name": aim.after.name}
            for aim in self.goal.use_cases
            if aim.after.workspace_id == workspace_id and aim.after.deleted_at is None
        ]


def apply(
    database: Database,
    vault: Vault,
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
            goal = _goal(connection, vault, data, environ, now)
            tokens = carry_out(connection, goal, vault, now)
    except IntegrityError as problem:
        text = "The database was changed from elsewhere meanwhile: apply the file again."
        raise FileRefused(Mistake(THE_FILE, text)) from problem
    return Result(goal, tokens, list_changes(goal, now))


def plan(
    database: Database,
    vault: Vault,
    data: object,
    *,
    environ: Mapping[str, str],
    now: datetime,
) -> tuple[Change, ...]:
    """List the changes that `apply` would make.

    Raises:
        FileRefused: with every problem.
        ServiceUnavailable: the database cannot be reached.
    """
    with database.reading() as connection:
        return list_changes(_goal(connection, vault, data, environ, now), now)


def _goal(
    connection: Connection,
    vault: Vault,
    data: object,
    environ: Mapping[str, str],
    now: datetime,
) -> Goal:
    mistakes = Mistakes()
    desired = shape(data, environ, mistakes)
    check_nothing_twice(desired, mistakes)
    return make_goal(desired, load_stored(connection, vault, _named(desired), now), mistakes, now)


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
