"""Counts messages by hour and country in the background.

The worker recounts every changed hour as a whole, so that repeating it has the same result. The
most recent time is checked again each round, because a host with a slow clock may commit rows late.
As ids may be wrong after a clock was ahead, each round also recounts one of the last hours.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

from app.db.clock import is_same_time
from app.db.engine import Database
from app.kernel.clock import Clock
from app.messages.statistics.store import (
    HOUR,
    CountLease,
    acquire_count_lease,
    count_hour,
    forget_counts,
    hour_of,
    hours_touched,
    load_hour,
    release_count_lease,
    renew_count_lease,
    replace_hour,
    start_counting,
)

COUNTED = timedelta(days=31)
COUNTS_KEPT = timedelta(days=100)
_OVERLAP = timedelta(minutes=10)
_AT_ONCE = timedelta(hours=6)
# As long as the provider is asked about a message; it is all reviewed within 15 minutes.
_REVIEWED_HOURS = 96


@dataclass(frozen=True, slots=True)
class AggregateMessages:
    database: Database
    clock: Clock
    rounds: Iterator[int] = field(default_factory=count)

    def run_once(self) -> int:
        """Count the changes of a few hours; return 1 if there is more to do."""
        with self.database.writing() as connection:
            now = self.clock.now()
            start_counting(connection, now - COUNTED, now)
            turn = acquire_count_lease(connection, now)
        if turn is None:
            return 0
        until = min(now, turn.counted_until + _AT_ONCE)
        hours = self._hours(min(turn.counted_until, now) - _OVERLAP, until, now)
        if until == now:
            hours.add(hour_of(now) - HOUR * (next(self.rounds) % _REVIEWED_HOURS))
        counted = self._count(turn, sorted(hours), now)
        if counted is None:
            return 0
        with self.database.writing() as connection:
            if is_same_time():
                forget_counts(connection, (now - COUNTS_KEPT).date())
            release_count_lease(connection, counted, until)
        return 1 if until < now else 0

    def _hours(self, since: datetime, until: datetime, now: datetime) -> set[datetime]:
        with self.database.reading() as connection:
            found = hours_touched(connection, since, until)
        hour = hour_of(since)
        while hour < until:
            found.add(hour)
            hour += HOUR
        return {hour for hour in found if hour >= now - COUNTED}

    def _count(
        self, turn: CountLease, hours: Iterable[datetime], now: datetime
    ) -> CountLease | None:
        """Recount hours; None if another worker has taken over."""
        kept: CountLease | None = turn
        for hour in hours:
            with self.database.reading() as connection:
                counts = count_hour(connection, hour, now)
                is_changed = counts != load_hour(connection, hour)
            if not is_changed:
                continue
            with self.database.writing() as connection:
                kept = (
                    None if kept is None else renew_count_lease(connection, kept, self.clock.now())
                )
                if kept is None:
                    return None
                replace_hour(connection, hour, counts)
        return kept
