"""Clearing alerts whose limit was lifted by a change of the guards."""

from datetime import datetime

from sqlalchemy import Connection, select

from app.db.rows import AnyRow
from app.guards.alerts import AlertKind, clear_alerts, load_open
from app.guards.counters import held_now
from app.guards.delivery import recover
from app.guards.limits import (
    AutoLimits,
    Autos,
    GuardMode,
    GuardName,
    Window,
)
from app.guards.shares import is_low
from app.guards.store import StoredGuards
from app.guards.tables import alerts, guard_collapses
from app.guards.watches import resolve_limits


def clear_lifted(
    connection: Connection,
    before: StoredGuards,
    stored: StoredGuards,
    autos: Autos,
    now: datetime,
) -> None:
    """Clear the alerts of guards that are off, or whose limit is no longer met."""
    for row in load_open(connection, stored.workspace_id, AlertKind.GUARD_TRIPPED):
        if _is_lifted(connection, row, stored, autos, now):
            clear_alerts(connection, alerts.c.id == row.id, now)
    _end_collapses(connection, before, stored, now)


def _end_collapses(
    connection: Connection, before: StoredGuards, stored: StoredGuards, now: datetime
) -> None:
    guard = stored.configuration.guards.delivery
    # A collapse is of the sign that the worker counted by.
    is_same_sign = guard.counts is before.configuration.guards.delivery.counts
    rows = connection.execute(
        select(guard_collapses).where(guard_collapses.c.workspace_id == stored.workspace_id)
    ).all()
    still = {row.value for row in rows if is_same_sign and is_low(guard, row.ended, row.share)}
    recover(connection, stored.workspace_id, {row.value for row in rows} - still, still, now)


def _is_lifted(
    connection: Connection, row: AnyRow, stored: StoredGuards, autos: Autos, now: datetime
) -> bool:
    name, window = GuardName(row.guard), Window(row.guard_window)
    by_name, auto = stored.configuration.guards.by_name, autos.workspace
    if row.use_case_id is not None:
        by_name = stored.configuration.use_cases.get(row.use_case_id, {})
        auto = autos.use_cases.get(row.use_case_id, AutoLimits())
    guard = by_name.get(name)
    if guard is None or guard.mode is GuardMode.OFF:
        return True
    # An alert about many values has none: use the general limit.
    value = row.counter_value or ""
    is_home = name is GuardName.COUNTRY and value == stored.home_country
    if is_home and value not in guard.countries:
        return True
    limit = resolve_limits(name, guard, value, auto).get(window)
    if limit is None:
        return True
    if row.counter_value is None:
        return limit > int(row.guard_limit)
    key = row.use_case_id or row.workspace_id, name.value, row.counter_value
    return limit > held_now(connection, key, window, now)
