"""The guard `delivery`: ranges and countries with a collapsed delivery rate.

The worker checks at least once a minute. A collapse ends with too few ended messages in an hour, or
a recovered share.
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias
from uuid import UUID

from sqlalchemy import Connection, delete, select

from app.db.engine import Database
from app.db.rows import upsert
from app.guards.alerts import AlertKind, Hit, clear_alerts, load_open, record_hit
from app.guards.facts import Collapse, delivery_trip
from app.guards.history import FEEDBACK_WITHIN, EndedMessages, MessageHistory
from app.guards.limits import DeliveryGuard, DeliverySign
from app.guards.store import load_guards
from app.guards.tables import alerts, guard_collapses
from app.guards.watches import SHARE_WINDOW, Share, baseline_period, values_of
from app.kernel.clock import Clock

# The baseline changes slowly, and reading it scans the messages of 15 days.
_BASELINE_KEPT = timedelta(minutes=30)
# A sign and a range or country.
_Key: TypeAlias = tuple[DeliverySign, str]


@dataclass(frozen=True, slots=True)
class WatchDelivery:
    database: Database
    clock: Clock
    history: MessageHistory
    _baselines: dict[tuple[UUID, _Key], tuple[datetime, Share]] = field(default_factory=dict)

    def run_once(self) -> int:
        now = self.clock.now()
        shares: dict[UUID, dict[_Key, Share]] = defaultdict(dict)
        with self.database.reading() as connection:
            for one in self.history.ended(connection, now - SHARE_WINDOW, now - FEEDBACK_WITHIN):
                _add(shares[one.workspace_id], one)
            collapsed = _load_collapsed(connection)
        for key, (until, _) in list(self._baselines.items()):
            if until <= now:
                del self._baselines[key]
        for workspace_id in shares.keys() | collapsed.keys():
            before = collapsed.get(workspace_id, set())
            self._check_workspace(workspace_id, shares.get(workspace_id, {}), before, now)
        return 0

    def _check_workspace(
        self, workspace_id: UUID, shares: dict[_Key, Share], before: set[str], now: datetime
    ) -> None:
        with self.database.reading() as connection:
            guard = load_guards(connection, workspace_id).configuration.guards.delivery
            found = {
                value: share
                for (counts, value), share in shares.items()
                if counts is guard.counts
                and share.is_low(guard)
                and (value in before or self._had_baseline(connection, guard, workspace_id, value))
            }
        if not found and not before:
            return
        with self.database.writing() as connection:
            for value, share in found.items():
                key = {"workspace_id": workspace_id, "value": value}
                facts = {"share": share.percent, "ended": share.ended, "checked_at": now}
                upsert(connection, guard_collapses, key, **facts)
                trip = delivery_trip(guard, workspace_id, Collapse(value, share.percent))
                record_hit(connection, Hit(workspace_id, trip, value, sends=0), now)
            recover(connection, workspace_id, before - found.keys(), found.keys(), now)

    def _had_baseline(
        self, connection: Connection, guard: DeliveryGuard, workspace_id: UUID, value: str
    ) -> bool:
        if guard.baseline == 0:
            return True
        key = workspace_id, (guard.counts, value)
        if key not in self._baselines:
            now = self.clock.now()
            found = self.history.ended_between(
                connection, workspace_id, value, baseline_period(now), guard.counts
            )
            self._baselines[key] = now + _BASELINE_KEPT, found
        return self._baselines[key][1].is_baseline(guard.baseline)


def _add(shares: dict[_Key, Share], one: EndedMessages) -> None:
    for value in values_of(one.number, one.country):
        for counts in DeliverySign:
            known, more = shares.get((counts, value), Share(0, 0)), one.share(counts)
            shares[counts, value] = Share(
                known.ended + more.ended, known.delivered + more.delivered
            )


def _load_collapsed(connection: Connection) -> dict[UUID, set[str]]:
    columns = guard_collapses.c
    found: dict[UUID, set[str]] = defaultdict(set)
    for workspace_id, value in connection.execute(select(columns.workspace_id, columns.value)):
        found[workspace_id].add(value)
    return found


def recover(
    connection: Connection,
    workspace_id: UUID,
    recovered: Collection[str],
    still: Collection[str],
    now: datetime,
) -> None:
    columns = guard_collapses.c
    if recovered:
        over = columns.workspace_id == workspace_id, columns.value.in_(recovered)
        connection.execute(delete(guard_collapses).where(*over))
    for row in load_open(connection, workspace_id, AlertKind.DELIVERY_COLLAPSED):
        is_over = row.counter_value not in still if row.counter_value else not still
        if is_over:
            clear_alerts(connection, alerts.c.id == row.id, now)
