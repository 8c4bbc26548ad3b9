"""Asking the provider for geo permissions, once per account, and comparing them with policies.

Unknown answers change nothing. No connection is held during the call.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from app.access.provider_account import ProviderAccount
from app.db.engine import Database
from app.destinations.check import load_gates
from app.destinations.geo_source import GeoPermissionSource, GeoUnknown
from app.destinations.load import Effective, load_effective
from app.destinations.provider_compare import Comparison, allowed_countries, compare
from app.destinations.provider_gates import ProviderGates, gates_from
from app.destinations.provider_store import (
    Asked,
    load_asked,
    load_checked_at,
    replace_permissions,
)
from app.kernel.clock import Clock, rfc3339
from app.webhooks.events import EventType
from app.webhooks.outbox import add_event


@dataclass(frozen=True, slots=True)
class ProviderView:
    """The stored geo permissions compared with the current policy.

    ``allowed`` are the countries that the policy allows; ``checked_at`` is None before the first
    check.
    """

    allowed: frozenset[str]
    gates: ProviderGates
    comparison: Comparison
    checked_at: datetime | None

    def as_json(self) -> dict[str, Any]:
        """Write the view in the words of the API."""
        at = None if self.checked_at is None else rfc3339(self.checked_at)
        return {**self.comparison.as_json(), "checked_at": at}


@dataclass(frozen=True, slots=True)
class Checked:
    """One workspace after a check; with a ``problem`` the state is the earlier one."""

    asked: Asked
    effective: Effective
    view: ProviderView
    problem: GeoUnknown | None = None


def load_view(connection: Connection, effective: Effective, now: datetime) -> ProviderView:
    """Compare the stored geo permissions of a workspace's account with its current policy."""
    gates = load_gates(connection, effective.workspace_id)
    allowed = allowed_countries(effective.policy(), now)
    return ProviderView(
        allowed=allowed,
        gates=gates,
        comparison=compare(allowed, gates),
        checked_at=load_checked_at(connection, effective.workspace_id),
    )


@dataclass(frozen=True, slots=True)
class CheckProvider:
    """The operation behind every check: of the API, the command line and the start."""

    database: Database
    source: GeoPermissionSource
    clock: Clock

    def __call__(
        self, workspace_id: UUID | None = None, *, whole_account: bool = False
    ) -> list[Checked]:
        """Check workspaces that have an account, as `load_asked` chooses them."""
        with self.database.reading() as connection:
            asked = load_asked(connection, workspace_id, whole_account=whole_account)
            before = [self._view(connection, one, None) for one in asked]
        accounts = {one.account.sid: one.account for one in asked}
        problems = {sid: self._renew(account) for sid, account in accounts.items()}
        with self.database.reading() as connection:
            after = [self._view(connection, one, problems[one.account.sid]) for one in asked]
        for old, new in zip(before, after, strict=True):
            self._tell_of_drift(old.view, new)
        return after

    def _tell_of_drift(self, before: ProviderView, after: Checked) -> None:
        """Send an event about differences, once for each change of them."""
        found = after.view.comparison
        if not found.differs or found == before.comparison:
            return
        data = {
            "workspace_id": str(after.effective.workspace_id),
            "allowed_here_closed_there": list(found.allowed_here_closed_there),
            "closed_here_open_there": list(found.closed_here_open_there),
            "checked_at": after.view.as_json()["checked_at"],
        }
        with self.database.writing() as connection:
            workspace_id = after.effective.workspace_id
            now = self.clock.now()
            add_event(connection, workspace_id, EventType.DESTINATION_DRIFT, data, now)

    def _renew(self, account: ProviderAccount) -> GeoUnknown | None:
        try:
            gates = gates_from(self.source.fetch(account))
        except GeoUnknown as unknown:
            return unknown
        if not gates.entries:
            return GeoUnknown("the answer names no country")
        with self.database.writing() as connection:
            replace_permissions(connection, account.sid, gates, self.clock.now())
        return None

    def _view(self, connection: Connection, asked: Asked, problem: GeoUnknown | None) -> Checked:
        effective = load_effective(connection, asked.workspace_id)
        view = load_view(connection, effective, self.clock.now())
        return Checked(asked, effective, view, problem)
