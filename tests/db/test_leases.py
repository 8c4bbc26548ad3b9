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


def test_unknown_job_is_due_later(database: Database, due: datetime) -> None:
    assert take(database, due - timedelta(milliseconds=1)) is None
    assert take(database, due) == due + LEASE
    assert take(database, due, "another job") is None


def test_expired_lease_is_taken_over(database: Database, due: datetime) -> None:
    leased_until = take(database, due)
    assert leased_until is not None
    assert take(database, leased_until - timedelta(seconds=1)) is None
    assert take(database, leased_until) == leased_until + LEASE


def test_process_with_an_expired_lease_cannot_release_the_next_one(
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


def test_one_of_many_processes_acquires_the_lease(database: Database, due: datetime) -> None:
    taken = together([lambda: take(database, due)] * 8)
    assert sorted(found is not None for found in taken) == [False] * 7 + [True]
