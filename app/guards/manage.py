"""Changing guards: one transaction with revision check, history and audit."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from uuid import UUID

from sqlalchemy import Connection, select

from app.db.engine import Database
from app.db.rows import AnyRow
from app.destinations.manage import ChangeRequest
from app.destinations.storage.policies import lock_policy
from app.guards.alerts import AlertKind, clear_alerts, load_open
from app.guards.autos import (
    counted_autos,
    covers,
    ensure_autos,
    load_autos,
    load_tripped,
    write_autos,
)
from app.guards.counters import held_now
from app.guards.delivery import recover
from app.guards.edits import GuardEdit, check_spend
from app.guards.history import MessageHistory, PastMessage
from app.guards.limits import (
    AutoLimits,
    Autos,
    DeliverySign,
    GuardConfiguration,
    GuardMode,
    GuardName,
    Window,
)
from app.guards.replay import DAYS as REPLAYED_DAYS, Replay, Replayed, most_that_never_trip
from app.guards.store import StoredGuards, find_use_cases, load_guards, write_guards
from app.guards.suggest import DAYS as SUGGESTED_DAYS, Suggestion, suggest
from app.guards.tables import alerts, guard_collapses
from app.guards.watches import Share, baseline_period, is_low, resolve_limits
from app.kernel.clock import Clock
from app.kernel.concurrency import LONG_READS
from app.kernel.errors import Problems, RevisionMismatch
from app.prices.price_table import PriceTable, day_of
from app.prices.store import has_prices, load_prices

_CHANGED_SINCE = "The guards were changed since the revision in If-Match."


@dataclass(frozen=True, slots=True)
class GuardsView:
    stored: StoredGuards
    auto: AutoLimits


@dataclass(frozen=True, slots=True)
class DryRun:
    revision: int
    configuration: GuardConfiguration
    replayed: Replayed


@dataclass(frozen=True, slots=True)
class ManageGuards:
    """Raises `NotFound` for an unknown workspace."""

    database: Database
    clock: Clock
    history: MessageHistory
    pseudonym: Callable[[str], str]

    def load(self, workspace_id: UUID) -> GuardsView:
        stored, autos = ensure_autos(self.database, self.history, workspace_id, self.clock.now())
        return GuardsView(stored, counted_autos(stored, autos.workspace))

    def change(self, workspace_id: UUID, edit: GuardEdit, asked: ChangeRequest) -> GuardsView:
        """Raises `RevisionMismatch` and `ValidationFailed`."""
        with self.database.reading() as connection:
            # Past messages are read here, as the transaction that writes locks the policy.
            _, autos = self._plan(connection, workspace_id, edit, asked)
        now = self.clock.now()
        with self.database.writing() as connection:
            return change_guards(
                connection, workspace_id, edit, asked, history=self.history, autos=autos, now=now
            )

    @LONG_READS.slot()
    def dry_run(self, workspace_id: UUID, edit: GuardEdit, asked: ChangeRequest) -> DryRun:
        """Replay the messages of the last 30 days; raises as `change`."""
        with self.database.reading() as connection:
            wanted, autos = self._plan(connection, workspace_id, edit, asked)
            cost = _cost_of_message(load_prices(connection))
            since = self.clock.now() - timedelta(days=REPLAYED_DAYS)
            most = most_that_never_trip(wanted.configuration)
            busy = self.history.busy_values(connection, workspace_id, since, most)
        counts = wanted.configuration.guards.delivery.counts
        replay = Replay(wanted, autos, cost, self._baselines(workspace_id, counts), busy)
        replayed = replay(self.history.in_order(self.database, workspace_id, since))
        return DryRun(wanted.revision, wanted.configuration, replayed)

    def _plan(
        self, connection: Connection, workspace_id: UUID, edit: GuardEdit, asked: ChangeRequest
    ) -> tuple[StoredGuards, Autos]:
        """Return the guards as wanted, and their values of "auto"."""
        before = load_guards(connection, workspace_id)
        after = replace(before, configuration=_wanted(connection, before, edit, asked))
        return after, load_autos(connection, self.history, after, self.clock.now())

    def _baselines(
        self, workspace_id: UUID, counts: DeliverySign
    ) -> Callable[[str, datetime], Share]:
        """Return the share of the days before a time, which is asked once a day and value."""
        known: dict[tuple[str, date], Share] = {}

        def baseline(value: str, at: datetime) -> Share:
            key = value, day_of(at)
            if key not in known:
                with self.database.reading() as connection:
                    known[key] = self.history.ended_between(
                        connection, workspace_id, value, baseline_period(at), counts
                    )
            return known[key]

        return baseline

    @LONG_READS.slot()
    def suggest(self, workspace_id: UUID) -> Suggestion:
        since = self.clock.now() - timedelta(days=SUGGESTED_DAYS)
        with self.database.reading() as connection:
            stored = load_guards(connection, workspace_id)
            tripped = load_tripped(connection, workspace_id, since)
        by_number = self.history.by_number(self.database, workspace_id, since)
        return suggest(stored, by_number, tripped, self.pseudonym)


def change_guards(
    connection: Connection,
    workspace_id: UUID,
    edit: GuardEdit,
    asked: ChangeRequest,
    *,
    history: MessageHistory,
    now: datetime,
    autos: Autos | None = None,
) -> GuardsView:
    """As `ManageGuards.change`, in the caller's transaction."""
    lock_policy(connection, workspace_id)
    before = load_guards(connection, workspace_id)
    wanted = _wanted(connection, before, edit, asked)
    after = before
    if wanted != before.configuration:
        write_guards(connection, before, wanted, asked, now)
        after = replace(before, revision=before.revision + 1, updated_at=now, configuration=wanted)
    if autos is None or not covers(autos, after):
        autos = load_autos(connection, history, after, now)
    if after is not before:
        write_autos(connection, workspace_id, autos)
        clear_lifted(connection, before, after, autos, now)
    return GuardsView(after, counted_autos(after, autos.workspace))


def _wanted(
    connection: Connection, before: StoredGuards, edit: GuardEdit, asked: ChangeRequest
) -> GuardConfiguration:
    if asked.if_match is not None and before.revision not in asked.if_match:
        raise RevisionMismatch(_CHANGED_SINCE, details={"revision": before.revision})
    problems = Problems()
    wanted = edit(before.configuration, problems)
    for use_case_id in wanted.use_cases.keys() - find_use_cases(connection, before.workspace_id):
        problems.add(f"$.use_cases.{use_case_id}", "There is no such use case.")
    check_spend(wanted, "$.guards", problems, has_prices=has_prices(connection))
    problems.refuse()
    own = {use_case_id: one for use_case_id, one in wanted.use_cases.items() if one}
    return replace(wanted, use_cases=own)


def _cost_of_message(table: PriceTable) -> Callable[[PastMessage], int | None]:
    """The messages are in order of time, so the prices of one day are kept."""
    prices_on = lru_cache(maxsize=1)(table.on)

    def cost(message: PastMessage) -> int | None:
        found = prices_on(day_of(message.at)).estimate(message.country, message.segments)
        return None if found is None else found.millionths

    return cost


def clear_lifted(
    connection: Connection, before: StoredGuards, stored: StoredGuards, autos: Autos, now: datetime
) -> None:
    """Clear the alerts of guards that are off, or below their limits again."""
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
    if name is GuardName.COUNTRY and value == stored.home_country and value not in guard.countries:
        return True
    limit = resolve_limits(name, guard, value, auto).get(window)
    if limit is None:
        return True
    if row.counter_value is None:
        return limit > int(row.guard_limit)
    key = row.use_case_id or row.workspace_id, name.value, row.counter_value
    return limit > held_now(connection, key, window, now)
