"""The guard `delivery`: ranges and countries to which hardly anything is delivered any more.

The worker finds them, at least once a minute. A range or country stays collapsed until its last
hour holds too few ended messages, or the share has recovered.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from app.db.engine import Database
from app.guards.alerts import AlertKind, Hit, clear_alerts, load_open, record_hit
from app.guards.facts import Collapse, delivery_trip
from app.guards.history import EndedMessages, MessageHistory
from app.guards.limits import DeliveryGuard, GuardMode, range_of
from app.guards.store import load_guards
from app.guards.tables import alerts, guard_collapses
from app.kernel.clock import Clock

WINDOW = timedelta(hours=1)
BASELINE = timedelta(days=15)
_ALL = 100
# The share of the days before changes slowly, and costs a look at all of their messages.
_BASELINE_KEPT = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Share:
    """How many messages ended, and how many of them were delivered."""

    ended: int
    delivered: int

    @property
    def percent(self) -> int:
        """Return the share delivered, rounded down; 0 of nothing."""
        return self.delivered * _ALL // self.ended if self.ended else 0

    def is_below(self, percent: int) -> bool:
        """Say whether the share is below so many percent."""
        return self.delivered * _ALL < percent * self.ended

    def is_baseline(self, percent: int) -> bool:
        """Say whether the share is high enough to compare with; 0 asks for nothing."""
        return percent == 0 or (self.ended > 0 and not self.is_below(percent))


@dataclass(frozen=True, slots=True)
class WatchDelivery:
    """One round of the worker over the messages that ended in the last hour."""

    database: Database
    clock: Clock
    history: MessageHistory
    _baselines: dict[tuple[UUID, str], tuple[datetime, Share]] = field(default_factory=dict)

    def run_once(self) -> int:
        """Find what has collapsed and what has recovered."""
        now = self.clock.now()
        shares: dict[UUID, dict[str, Share]] = defaultdict(dict)
        with self.database.reading() as connection:
            for one in self.history.ended(connection, now - WINDOW):
                _add(shares[one.workspace_id], one)
            collapsed = _load_collapsed(connection)
        for key, (until, _) in list(self._baselines.items()):
            if until <= now:
                del self._baselines[key]
        for workspace_id in shares.keys() | collapsed.keys():
            before = collapsed.get(workspace_id, set())
            self._judge(workspace_id, shares.get(workspace_id, {}), before, now)
        return 0

    def _judge(
        self, workspace_id: UUID, shares: dict[str, Share], before: set[str], now: datetime
    ) -> None:
        with self.database.reading() as connection:
            guard = load_guards(connection, workspace_id).configuration.guards.delivery
            found = {
                value: share
                for value, share in shares.items()
                if _is_low(share, guard)
                and (
                    value in before
                    or self._had_baseline(connection, guard, (workspace_id, value), now)
                )
            }
        if not found and not before:
            return
        with self.database.writing() as connection:
            for value, share in found.items():
                _write(connection, workspace_id, value, share, now)
                trip = delivery_trip(guard, workspace_id, Collapse(value, share.percent))
                record_hit(connection, Hit(workspace_id, trip, value, sends=0), now)
            _recover(connection, workspace_id, before - found.keys(), found.keys(), now)

    def _had_baseline(
        self, connection: Connection, guard: DeliveryGuard, key: tuple[UUID, str], now: datetime
    ) -> bool:
        if guard.baseline == 0:
            return True
        if key not in self._baselines:
            period = now - WINDOW - BASELINE, now - WINDOW
            found = Share(*self.history.ended_between(connection, *key, period))
            self._baselines[key] = now + _BASELINE_KEPT, found
        return self._baselines[key][1].is_baseline(guard.baseline)


def _is_low(share: Share, guard: DeliveryGuard) -> bool:
    if guard.mode is GuardMode.OFF or guard.below is None:
        return False
    return share.ended >= guard.minimum and share.is_below(guard.below)


def _add(shares: dict[str, Share], one: EndedMessages) -> None:
    values = [one.country] if one.country else []
    if one.number.startswith("+"):
        values.append(range_of(one.number))
    for value in values:
        known = shares.get(value, Share(0, 0))
        shares[value] = Share(known.ended + one.ended, known.delivered + one.delivered)


def _load_collapsed(connection: Connection) -> dict[UUID, set[str]]:
    columns = guard_collapses.c
    found: dict[UUID, set[str]] = defaultdict(set)
    for workspace_id, value in connection.execute(select(columns.workspace_id, columns.value)):
        found[workspace_id].add(value)
    return found


def _write(
    connection: Connection, workspace_id: UUID, value: str, share: Share, now: datetime
) -> None:
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    values = {"share": share.percent, "ended": share.ended, "checked_at": now}
    connection.execute(
        dialect.insert(guard_collapses)
        .values(workspace_id=workspace_id, value=value, **values)
        .on_conflict_do_update(
            index_elements=[guard_collapses.c.workspace_id, guard_collapses.c.value], set_=values
        )
    )


def _recover(
    connection: Connection,
    workspace_id: UUID,
    recovered: set[str],
    still: Any,
    now: datetime,
) -> None:
    columns = guard_collapses.c
    if recovered:
        connection.execute(
            delete(guard_collapses).where(
                columns.workspace_id == workspace_id, columns.value.in_(recovered)
            )
        )
    for row in load_open(connection, workspace_id, AlertKind.DELIVERY_COLLAPSED):
        is_over = row.counter_value not in still if row.counter_value else not still
        if is_over:
            clear_alerts(connection, alerts.c.id == row.id, now)
