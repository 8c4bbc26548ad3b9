"""A turn is taken by one, when it is due, and taken over from who died."""

from datetime import UTC, datetime, timedelta

import pytest

from app.db.engine import Database
from app.db.leases import acquire_lease, release_lease
from support.threads import together

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
LEASE, FIRST = timedelta(minutes=5), timedelta(hours=1)


def take(database: Database, at: datetime, job: str = "job") -> datetime | None:
    with database.writing() as connection:
        return acquire_lease(connection, job, at, lease=LEASE, first_after=FIRST)


def end(database: Database, leased_until: datetime, due_at: datetime) -> None:
    with database.writing() as connection:
        release_lease(connection, "job", leased_until, due_at)


@pytest.fixture
def due(database: Database) -> datetime:
    """When the job that is known now is due."""
    assert take(database, START) is None
    return START + FIRST


def test_a_job_is_due_some_time_after_it_was_first_heard_of(
    database: Database, due: datetime
) -> None:
    assert take(database, due - timedelta(milliseconds=1)) is None
    assert take(database, due) == due + LEASE
    assert take(database, due, "another job") is None


def test_a_turn_that_nobody_ended_is_taken_over_when_its_lease_ends(
    database: Database, due: datetime
) -> None:
    leased_until = take(database, due)
    assert leased_until is not None
    assert take(database, leased_until - timedelta(seconds=1)) is None
    assert take(database, leased_until) == leased_until + LEASE


def test_who_was_taken_over_does_not_end_the_turn_of_another(
    database: Database, due: datetime
) -> None:
    slow = take(database, due)
    assert slow is not None
    other = take(database, slow)
    assert other is not None
    end(database, slow, due)
    assert take(database, due) is None
    end(database, other, due)
    assert take(database, due) is not None


def test_of_many_at_once_one_takes_the_turn(database: Database, due: datetime) -> None:
    taken = together([lambda: take(database, due)] * 8)
    assert sorted(found is not None for found in taken) == [False] * 7 + [True]
