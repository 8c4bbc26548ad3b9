"""SQL of alerts: opened once for each subject, with webhook events in the same transaction."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, case, distinct, func, literal, select, update

from app.db.engine import Database
from app.db.rows import AnyRow, insert_on_conflict, update_row
from app.db.statement import Statement
from app.db.types import UtcDateTime
from app.destinations.storage.policies import lock_policy
from app.guards.limits import GuardName, GuardScope, money_text
from app.guards.tables import alerts
from app.guards.watches import LENGTHS, Trip
from app.kernel.clock import Clock, rfc3339
from app.kernel.ids import new_id
from app.kernel.masking import mask_number
from app.webhooks.outbox import EventType, add_event

# Above this number of values within an hour, one alert covers all further ones.
VALUES_OF_ONE_GUARD = 20
_MANY = "*"


class AlertKind(StrEnum):
    """Also the types of their webhook events."""

    GUARD_TRIPPED = "guard.tripped"
    DELIVERY_COLLAPSED = "delivery.collapsed"
    ENDPOINT_FAILING = "endpoint.failing"
    GEO_DRIFT = "geo.drift"
    REFUSALS_SPIKED = "refusals.spiked"
    CLOCK_DIFFERS = "clock.differs"
    WORKER_STUCK = "worker.stuck"


# They concern the whole installation: each workspace has the same alert.
OF_INSTALLATION = (AlertKind.CLOCK_DIFFERS, AlertKind.WORKER_STUCK)


@dataclass(frozen=True, slots=True)
class Hit:
    """A send that met the limit of a guard; ``value`` as in counters."""

    workspace_id: UUID
    trip: Trip
    value: str
    # 0 if the worker opened the alert, not a send.
    sends: int = 1

    @property
    def kind(self) -> AlertKind:
        if self.trip.watch.guard is GuardName.DELIVERY:
            return AlertKind.DELIVERY_COLLAPSED
        return AlertKind.GUARD_TRIPPED


# Every send that meets a limit runs these.
_COUNT_TEXT = """UPDATE alerts SET hits = hits + :sends::integer,
  last_at = CASE WHEN last_at > :now::timestamptz THEN last_at ELSE :now::timestamptz END,
  mode = :mode, guard_limit = :guard_limit::bigint
WHERE workspace_id = :workspace_id::uuid AND kind = :kind AND subject = :subject
  AND cleared_at IS NULL"""
_NOTE_TEXT = """INSERT INTO guard_trips (workspace_id, guard, value, period)
VALUES (:workspace_id::uuid, :guard, :value, :period::timestamptz) ON CONFLICT DO NOTHING"""
_COUNT, _NOTE_PERIOD = Statement(_COUNT_TEXT), Statement(_NOTE_TEXT)
_COUNT_AND_NOTE = Statement(f"WITH noted AS ({_NOTE_TEXT})\n{_COUNT_TEXT}")


def count_hit(connection: Connection, hit: Hit, now: datetime) -> bool:
    """Count a hit on the open alert, in one round trip; False if there is none."""
    if connection.dialect.name == "postgresql":
        return _COUNT_AND_NOTE.run(connection, _values(hit, hit.value, now)) == 1
    _NOTE_PERIOD.run(connection, _values(hit, hit.value, now))
    return _count(connection, hit, hit.value, now)


def record_hit(connection: Connection, hit: Hit, now: datetime) -> None:
    _NOTE_PERIOD.run(connection, _values(hit, hit.value, now))
    if _count(connection, hit, hit.value, now):
        return
    # Serializes the opening of alerts of one workspace.
    lock_policy(connection, hit.workspace_id)
    if _count(connection, hit, hit.value, now):
        return
    within_an_hour = _values_within_an_hour(connection, hit, now) if hit.value else 0
    is_one_of_many = within_an_hour >= VALUES_OF_ONE_GUARD
    if not (is_one_of_many and _count(connection, hit, _MANY, now)):
        _open_for(connection, hit, now, is_one_of_many=is_one_of_many)


def _subject(hit: Hit, value: str) -> str:
    watch = hit.trip.watch
    return f"{watch.guard}:{hit.trip.window}:{watch.scope_id.hex}:{value}"


def _count(connection: Connection, hit: Hit, value: str, now: datetime) -> bool:
    return _COUNT.run(connection, _values(hit, value, now)) == 1


def _values(hit: Hit, value: str, now: datetime) -> dict[str, Any]:
    """Return the parameters of the statements; ``value`` is that of the alert."""
    guard = hit.trip.watch.guard
    period = now.replace(second=0, microsecond=0)
    if guard is not GuardName.WORKSPACE:
        period = period.replace(minute=0)
    return {
        "workspace_id": hit.workspace_id,
        "kind": hit.kind.value,
        "subject": _subject(hit, value),
        "sends": hit.sends,
        "now": now,
        "mode": hit.trip.watch.mode.value,
        "guard_limit": hit.trip.limit,
        "guard": guard.value,
        "value": hit.value,
        "period": period,
    }


def _values_within_an_hour(connection: Connection, hit: Hit, now: datetime) -> int:
    columns = alerts.c
    query = select(func.count(distinct(columns.counter_value))).where(
        columns.workspace_id == hit.workspace_id,
        columns.guard == hit.trip.watch.guard,
        columns.opened_at > now - timedelta(hours=1),
    )
    return connection.execute(query).scalar_one()


def _open_for(connection: Connection, hit: Hit, now: datetime, *, is_one_of_many: bool) -> None:
    watch = hit.trip.watch
    shown = mask_number(watch.value) if watch.guard is GuardName.NUMBER else watch.value
    open_alert(
        connection,
        hit.workspace_id,
        hit.kind,
        _subject(hit, _MANY if is_one_of_many else hit.value),
        now,
        guard=watch.guard,
        guard_window=hit.trip.window,
        scope=watch.scope,
        use_case_id=watch.scope_id if watch.scope is GuardScope.USE_CASE else None,
        value=None if is_one_of_many else shown or None,
        counter_value=None if is_one_of_many else hit.value,
        mode=watch.mode,
        guard_limit=hit.trip.limit,
        hits=hit.sends,
    )


def open_alert(
    connection: Connection,
    workspace_id: UUID,
    kind: AlertKind,
    subject: str,
    now: datetime,
    **values: Any,
) -> None:
    """Open an alert with its event, unless its subject has an open one."""
    row = connection.execute(
        insert_on_conflict(connection, alerts)
        .values(
            id=new_id(),
            workspace_id=workspace_id,
            kind=kind,
            subject=subject,
            opened_at=now,
            last_at=now,
            **{"hits": 0} | values,
        )
        .on_conflict_do_nothing()
        .returning(alerts)
    ).one_or_none()
    if row is not None:
        add_event(connection, workspace_id, EventType(kind.value), render_alert(row), now)


def clear_alerts(connection: Connection, which: ColumnElement[bool], now: datetime) -> int:
    cleared = update(alerts).where(which, alerts.c.cleared_at.is_(None)).values(cleared_at=now)
    rows = connection.execute(cleared.returning(alerts)).all()
    for row in sorted(rows, key=lambda row: row.id):
        add_event(connection, row.workspace_id, EventType.GUARD_CLEARED, render_alert(row), now)
    return len(rows)


def clear_what_is_over(connection: Connection, now: datetime) -> int:
    """Clear alerts whose limit no send has met for one whole window."""
    columns = alerts.c
    is_over = case(
        {window.value: literal(now - length, UtcDateTime()) for window, length in LENGTHS.items()},
        value=columns.guard_window,
    )
    which = (columns.kind == AlertKind.GUARD_TRIPPED) & (columns.last_at <= is_over)
    return clear_alerts(connection, which, now)


def load_open(connection: Connection, workspace_id: UUID, kind: AlertKind) -> list[AnyRow]:
    columns = alerts.c
    query = select(alerts).where(
        columns.workspace_id == workspace_id, columns.kind == kind, columns.cleared_at.is_(None)
    )
    return list(connection.execute(query))


def render_alert(row: AnyRow) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "workspace_id": str(row.workspace_id),
        "kind": row.kind,
        "opened_at": rfc3339(row.opened_at),
        "last_at": rfc3339(row.last_at),
        "cleared_at": rfc3339(row.cleared_at),
        "acknowledged_at": rfc3339(row.acknowledged_at),
        "acknowledged_by": row.acknowledged_by,
        "details": row.details if row.guard is None else _guard_details(row),
    }


def _guard_details(row: AnyRow) -> dict[str, Any]:
    is_money = row.guard == GuardName.SPEND
    return {
        "guard": row.guard,
        "window": row.guard_window,
        "scope": row.scope,
        "use_case_id": None if row.use_case_id is None else str(row.use_case_id),
        "value": row.value,
        "mode": row.mode,
        "limit": money_text(row.guard_limit) if is_money else row.guard_limit,
        "hits": row.hits,
    }


@dataclass(frozen=True, slots=True)
class ClearAlerts:
    database: Database
    clock: Clock

    def run_once(self) -> int:
        with self.database.writing() as connection:
            clear_what_is_over(connection, self.clock.now())
        return 0


# The workspace and the subject of an alert, and its details.
Found: TypeAlias = Mapping[tuple[UUID, str], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class AlertChanges:
    kind: AlertKind
    new: Found
    changed: Mapping[UUID, dict[str, Any]]
    over: Collection[UUID]

    @property
    def is_empty(self) -> bool:
        return not self.new and not self.changed and not self.over


def find_changes(
    connection: Connection, kind: AlertKind, found: Found, still: Collection[tuple[UUID, str]] = ()
) -> AlertChanges:
    """Compare ``found`` to the open alerts; those in ``still`` stay open, too."""
    columns = alerts.c
    query = select(alerts).where(columns.kind == kind, columns.cleared_at.is_(None))
    rows = {(row.workspace_id, row.subject): row for row in connection.execute(query)}
    return AlertChanges(
        kind,
        new={key: details for key, details in found.items() if key not in rows},
        changed={
            row.id: found[key]
            for key, row in rows.items()
            if key in found and row.details != found[key]
        },
        over=[row.id for key, row in rows.items() if key not in found and key not in still],
    )


def apply_changes(connection: Connection, changes: AlertChanges, now: datetime) -> None:
    clear_alerts(connection, alerts.c.id.in_(list(changes.over)), now)
    for alert_id, details in changes.changed.items():
        update_row(connection, alerts, alert_id, details=details, last_at=now)
    for (workspace_id, subject), details in changes.new.items():
        open_alert(connection, workspace_id, changes.kind, subject, now, details=details)
