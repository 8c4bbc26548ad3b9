"""Limits on failed attempts, counted in the database for all processes.

An attempt is counted before its credential is checked and withdrawn if it was right, so parallel
attempts cannot pass a limit. Future times come from a wrong clock and are ignored.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select, update

from app.access.attempt_limits import LIMITS, AttemptBlock, AttemptKind, Subject, block_of
from app.access.tables import failed_attempts
from app.db.engine import Database
from app.db.rows import insert_on_conflict
from app.kernel.clock import Clock, from_unix_time
from app.kernel.errors import Quota, RateLimited

_MOST_RETRY_SECONDS = 3600
# The times of two hosts differ at most by this.
_TOLERATED_MILLISECONDS = 2000


@dataclass(frozen=True, slots=True)
class CountedAttempt:
    """``at`` (milliseconds) identifies it."""

    subjects: tuple[Subject, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Attempts:
    database: Database
    clock: Clock

    def begin(self, *subjects: Subject) -> CountedAttempt:
        """Count an attempt (`withdraw` a right one), or raise `RateLimited` without counting."""
        with self.database.reading() as connection:
            now = _milliseconds(self.clock.now())
            _check(subjects, _load(connection, subjects), now)
        with self.database.writing() as connection:
            now = _milliseconds(self.clock.now())
            _add_rows(connection, subjects, now)
            found = _load(connection, subjects, to_change=True)
            _check(subjects, found, now)
            for subject in subjects:
                _store(connection, subject, [*found[subject.slot], now], now)
        return CountedAttempt(subjects, now)

    def blocked_until(self, *subjects: Subject) -> datetime | None:
        with self.database.reading() as connection:
            now = _milliseconds(self.clock.now())
            blocks = _blocks(subjects, _load(connection, subjects), now)
            until = max((block.until for _, block in blocks), default=0)
        return _time(until) if until > now else None

    def give_back(self, attempt: CountedAttempt) -> None:
        with self.database.writing() as connection:
            withdraw(connection, attempt)


def withdraw(connection: Connection, attempt: CountedAttempt) -> None:
    found = _load(connection, attempt.subjects, to_change=True)
    for subject in attempt.subjects:
        times = list(found.get(subject.slot, ()))
        if attempt.at in times:
            times.remove(attempt.at)
            _store(connection, subject, times, attempt.at)


def forget_attempts(connection: Connection, *subjects: Subject) -> None:
    slots = [subject.slot for subject in subjects]
    connection.execute(delete(failed_attempts).where(failed_attempts.c.slot.in_(slots)))


def forget_expired_attempts(connection: Connection, now: datetime) -> None:
    connection.execute(delete(failed_attempts).where(failed_attempts.c.expires_at <= now))


def _check(subjects: Sequence[Subject], found: Mapping[str, Sequence[int]], now: int) -> None:
    live = [pair for pair in _blocks(subjects, found, now) if pair[1].until > now]
    if live:
        kind, block = max(live, key=lambda pair: pair[1].until)
        name = "wrong-keys" if kind is AttemptKind.KEY else "wrong-passwords"
        seconds = -(-(block.until - now) // 1000)
        raise RateLimited(
            Quota(name, block.limit.failures, block.limit.seconds),
            "Too many wrong attempts. Try again later.",
            retry_after_seconds=min(seconds, _MOST_RETRY_SECONDS),
        )


def _blocks(
    subjects: Sequence[Subject], found: Mapping[str, Sequence[int]], now: int
) -> list[tuple[AttemptKind, AttemptBlock]]:
    blocks = (
        (one.kind, block_of(_until(now, found.get(one.slot, ())), LIMITS[one.kind]))
        for one in subjects
    )
    return [(kind, block) for kind, block in blocks if block is not None]


def _load(
    connection: Connection, subjects: Sequence[Subject], *, to_change: bool = False
) -> dict[str, list[int]]:
    columns = failed_attempts.c
    slots = [subject.slot for subject in subjects]
    # In a fixed order, so that two attempts cannot deadlock.
    query = select(columns.slot, columns.times).where(columns.slot.in_(slots)).order_by("slot")
    if to_change:
        query = query.with_for_update()
    return {row.slot: row.times for row in connection.execute(query)}


def _add_rows(connection: Connection, subjects: Sequence[Subject], now: int) -> None:
    rows = [
        {"slot": slot, "times": [], "expires_at": _time(now)}
        for slot in sorted({subject.slot for subject in subjects})
    ]
    # An existing row is locked, because another transaction may delete it.
    kept = {"expires_at": failed_attempts.c.expires_at}
    statement = insert_on_conflict(connection, failed_attempts).values(rows)
    connection.execute(statement.on_conflict_do_update(index_elements=["slot"], set_=kept))


def _store(connection: Connection, subject: Subject, times: list[int], now: int) -> None:
    limits = LIMITS[subject.kind]
    longest = max(limit.seconds for limit in limits)
    kept = [at for at in _until(now, times) if at > now - longest * 1000]
    kept = sorted(kept)[-max(limit.failures for limit in limits) :]
    connection.execute(
        update(failed_attempts)
        .where(failed_attempts.c.slot == subject.slot)
        .values(times=kept, expires_at=_time(now) + timedelta(seconds=longest))
    )


def _until(now: int, times: Sequence[int]) -> list[int]:
    return [at for at in times if at <= now + _TOLERATED_MILLISECONDS]


def _milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _time(milliseconds: int) -> datetime:
    return from_unix_time(milliseconds / 1000)
