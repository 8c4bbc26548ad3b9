"""Checking the provider's geo permissions."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection

from app.db.engine import Database
from app.db.rows import AnyRow
from app.destinations.geo_permissions.permissions import (
    Comparison,
    GeoPermissions,
    allowed_countries,
    compare_with_provider,
    geo_permissions_from,
    load_geo_permissions,
)
from app.destinations.geo_permissions.store import (
    CheckTarget,
    load_check_targets,
    load_checked_at,
    load_problem,
    record_problem,
    replace_permissions,
)
from app.destinations.storage.policies import EffectivePolicy, load_effective
from app.kernel.clock import Clock, rfc3339
from app.kernel.errors import ProviderMisconfigured, ProviderUnavailable
from app.providers.port import GeoFacts, GeoPermissionSource, ProviderAccount, ProviderUnknown
from app.webhooks.outbox import EventType, add_event

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PermissionsView:
    """``allowed`` is the current policy's; ``checked_at`` is None before the first check."""

    allowed: frozenset[str]
    geo_permissions: GeoPermissions
    comparison: Comparison
    checked_at: datetime | None
    problem: AnyRow | None

    @property
    def agrees(self) -> bool | None:
        """None while too little is known: before a check only refused countries are."""
        if self.comparison.differs:
            return False
        return None if self.checked_at is None else True

    def as_json(self) -> dict[str, Any]:
        at, problem = self.checked_at, self.problem
        return {
            **self.comparison.as_json(),
            "checked_at": None if at is None else rfc3339(at),
            "agrees": self.agrees,
            "problem": None
            if problem is None
            else {"code": problem.code, "message": problem.message, "at": rfc3339(problem.at)},
        }


@dataclass(frozen=True, slots=True)
class Checked:
    """With a ``problem``, the state is the last known."""

    target: CheckTarget
    effective: EffectivePolicy
    view: PermissionsView
    problem: ProviderUnknown | None = None


def load_permissions_view(
    connection: Connection, effective: EffectivePolicy, facts: GeoFacts, now: datetime
) -> PermissionsView:
    geo_permissions = load_geo_permissions(connection, effective.workspace_id, facts)
    allowed = allowed_countries(effective.policy(), now)
    return PermissionsView(
        allowed=allowed,
        geo_permissions=geo_permissions,
        comparison=compare_with_provider(allowed, geo_permissions),
        checked_at=load_checked_at(connection, effective.workspace_id),
        problem=load_problem(connection, effective.workspace_id),
    )


def error_of(problem: ProviderUnknown) -> type[ProviderMisconfigured | ProviderUnavailable]:
    return ProviderMisconfigured if problem.is_misconfigured else ProviderUnavailable


@dataclass(frozen=True, slots=True)
class CheckProvider:
    database: Database
    source: GeoPermissionSource
    clock: Clock

    def __call__(
        self, workspace_id: UUID | None = None, *, whole_account: bool = False
    ) -> list[Checked]:
        with self.database.reading() as connection:
            target = load_check_targets(connection, workspace_id, whole_account=whole_account)
            before = [self._view(connection, one, None) for one in target]
        accounts = {one.account.sid: one.account for one in target}
        problems = {sid: self._renew(account) for sid, account in accounts.items()}
        self._record(problems)
        with self.database.reading() as connection:
            after = [self._view(connection, one, problems[one.account.sid]) for one in target]
        for old, new in zip(before, after, strict=True):
            self._tell_of_drift(old.view, new)
        return after

    def _tell_of_drift(self, before: PermissionsView, after: Checked) -> None:
        """Send an event once for each change of the differences."""
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
            add_event(connection, workspace_id, EventType.DESTINATION_DRIFT, data, self.clock.now())

    def _renew(self, account: ProviderAccount) -> ProviderUnknown | None:
        try:
            geo_permissions = geo_permissions_from(self.source.fetch(account), self.source.facts)
        except ProviderUnknown as unknown:
            return unknown
        if not geo_permissions.entries:
            return ProviderUnknown("the answer names no country")
        with self.database.writing() as connection:
            replace_permissions(connection, account.sid, geo_permissions, self.clock.now())
        return None

    def _record(self, problems: Mapping[str, ProviderUnknown | None]) -> None:
        failed = {sid: problem for sid, problem in problems.items() if problem is not None}
        if not failed:
            return
        with self.database.writing() as connection:
            for sid, problem in failed.items():
                code = error_of(problem).__name__
                record_problem(connection, sid, code, str(problem), self.clock.now())

    def _view(
        self, connection: Connection, target: CheckTarget, problem: ProviderUnknown | None
    ) -> Checked:
        effective = load_effective(connection, target.workspace_id)
        view = load_permissions_view(connection, effective, self.source.facts, self.clock.now())
        return Checked(target, effective, view, problem)


def log_checked(checked: Checked) -> None:
    workspace_id = str(checked.target.workspace_id)
    comparison = checked.view.comparison
    if checked.problem is not None:
        _log.warning("geo_permissions_unknown", workspace_id=workspace_id, why=str(checked.problem))
    elif comparison.differs:
        _log.warning(
            "geo_permissions_differ",
            workspace_id=workspace_id,
            allowed_here_closed_there=list(comparison.allowed_here_closed_there),
            closed_here_open_there=list(comparison.closed_here_open_there),
        )
    else:
        _log.info("geo_permissions_agree", workspace_id=workspace_id)
