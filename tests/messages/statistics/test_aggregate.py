"""The counters: always what a plain count says, whoever counts, however often, however late."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from app.db.engine import Database
from app.kernel.ids import NO_ID
from app.messages.statistics import aggregate as count_module
from app.messages.statistics.aggregate import (
    AggregateMessages,
    HourlyCount,
    acquire_count_lease,
    load_hour,
)
from app.messages.tables import message_counting, message_counts, messages
from app.messages.usage import load_slot_counts, load_worker_signs
from support.factories import BR_NUMBER, US_NUMBER, Factory, Tenant
from support.months import write_event, write_message
from support.plans import statements_of
from support.threads import together
from support.time import ManualClock
from support.traffic import Past, write_messages

NOW = datetime(2026, 1, 31, 12, 30, tzinfo=UTC)


@dataclass
class Counting:
    """A worker that counts, with its time."""

    database: Database
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOW))

    def __call__(self) -> int:
        """Count until there is nothing more to do at once; how many rounds it took."""
        rounds = 1
        worker = AggregateMessages(self.database, self.clock.clock())
        while worker.run_once():
            rounds += 1
        return rounds

    def later(self, **time: float) -> None:
        self.clock.advance(timedelta(**time).total_seconds())


@pytest.fixture
def counting(database: Database) -> Counting:
    return Counting(database)


def counted(factory: Factory) -> dict[tuple[str, int, str], tuple[int, ...]]:
    """What is stored, by day, hour and country."""
    return {
        (row["day"].isoformat(), row["hour"], row["country"]): tuple(
            row[name] for name in ("sends", "delivered", "undelivered", "failed", "segments")
        )
        for row in factory.rows(message_counts)
    }


def end(factory: Factory, message_id: UUID, status: str, at: datetime) -> None:
    """Let a message end, as a callback does: with its event."""
    factory.write(update(messages).where(messages.c.id == message_id).values(status=status))
    write_event(factory.database, message_id, at)


def test_messages_are_counted_by_hour_country_and_end(
    factory: Factory, tenant: Tenant, counting: Counting
) -> None:
    at = NOW - timedelta(hours=3)
    past = [
        Past(tenant, US_NUMBER, at, segments=2),
        Past(tenant, US_NUMBER, at + timedelta(minutes=29, seconds=59)),
        Past(tenant, US_NUMBER, at + timedelta(minutes=30)),
        Past(tenant, BR_NUMBER, at, submission="unconfirmed"),
        Past(tenant, BR_NUMBER, at, submission="refused"),
        Past(tenant, BR_NUMBER, at, submission="open"),
    ]
    write_messages(factory.database, past)
    counting()
    assert counted(factory) == {
        ("2026-01-31", 9, "US"): (2, 2, 0, 0, 3),
        ("2026-01-31", 10, "US"): (1, 1, 0, 0, 1),
        ("2026-01-31", 9, "BR"): (2, 0, 0, 0, 2),
    }


def test_counting_again_changes_nothing(
    factory: Factory, tenant: Tenant, counting: Counting
) -> None:
    write_message(factory.database, tenant, NOW - timedelta(hours=30))
    counting()
    first = counted(factory)
    counting()
    counting.later(minutes=5)
    counting()
    assert counted(factory) == first == {("2026-01-30", 6, "US"): (1, 0, 0, 0, 1)}


def test_a_late_status_is_counted_in_the_hour_of_its_message(
    factory: Factory, tenant: Tenant, counting: Counting
) -> None:
    message_id = write_message(factory.database, tenant, NOW - timedelta(hours=40))
    counting()
    counting.later(minutes=10)
    end(factory, message_id, "undelivered", counting.clock.at)
    counting.later(seconds=1)
    counting()
    assert counted(factory) == {("2026-01-29", 20, "US"): (1, 0, 1, 0, 1)}


def test_row_committed_after_its_id_was_minted_is_counted(
    factory: Factory, tenant: Tenant, counting: Counting
) -> None:
    old = write_message(factory.database, tenant, NOW - timedelta(hours=40))
    counting()
    write_message(factory.database, tenant, NOW - timedelta(seconds=90))
    end(factory, old, "delivered", NOW - timedelta(seconds=90))
    counting.later(seconds=10)
    counting()
    assert counted(factory) == {
        ("2026-01-29", 20, "US"): (1, 1, 0, 0, 1),
        ("2026-01-31", 12, "US"): (1, 0, 0, 0, 1),
    }


def test_a_send_that_died_counts_once_it_is_visible(
    factory: Factory, tenant: Tenant, counting: Counting
) -> None:
    counting()
    write_messages(factory.database, [Past(tenant, US_NUMBER, NOW, submission="open")])
    counting.later(seconds=20)
    counting()
    assert counted(factory) == {}
    counting.later(seconds=20)
    counting()
    assert counted(factory) == {("2026-01-31", 12, "US"): (1, 0, 0, 0, 1)}


def test_a_long_past_is_counted_in_bounded_rounds_and_not_beyond_a_month(
    factory: Factory, tenant: Tenant, counting: Counting
) -> None:
    for days in (45, 30, 20, 1):
        write_message(factory.database, tenant, NOW - timedelta(days=days))
    assert counting() == 31 * 4
    assert [day for day, _, _ in sorted(counted(factory))] == [
        "2026-01-01",
        "2026-01-11",
        "2026-01-30",
    ]
    assert counting() == 1


def test_a_new_installation_begins_now(factory: Factory, counting: Counting) -> None:
    assert counting() == 1
    (row,) = factory.rows(message_counting)
    assert row["counted_until"] == NOW
    assert row["leased_until"] is None


def test_while_one_counts_another_does_not(
    factory: Factory, tenant: Tenant, counting: Counting
) -> None:
    counting()
    write_message(factory.database, tenant, NOW)
    with factory.database.writing() as c:
        assert acquire_count_lease(c, NOW) is not None
    counting()
    assert counted(factory) == {}
    counting.later(seconds=61)  # the lease of one that died has run out
    counting()
    assert len(counted(factory)) == 1


def test_worker_that_was_overtaken_stores_nothing(
    factory: Factory, tenant: Tenant, monkeypatch: pytest.MonkeyPatch, counting: Counting
) -> None:
    message_id = write_message(factory.database, tenant, NOW)
    count_hour = count_module.count_hour

    def count_slowly(connection: Any, hour: datetime, now: datetime) -> set[HourlyCount]:
        found = count_hour(connection, hour, now)
        if found:
            monkeypatch.setattr(count_module, "count_hour", count_hour)
            end(factory, message_id, "delivered", NOW)
            other = Counting(factory.database, ManualClock(NOW + timedelta(seconds=61)))
            other()
        return found

    monkeypatch.setattr(count_module, "count_hour", count_slowly)
    AggregateMessages(factory.database, counting.clock.clock()).run_once()
    assert counted(factory) == {("2026-01-31", 12, "US"): (1, 1, 0, 0, 1)}
    (row,) = factory.rows(message_counting)
    assert row["counted_until"] == NOW + timedelta(seconds=61)


def test_concurrent_workers_count_as_one(
    factory: Factory, tenant: Tenant, counting: Counting
) -> None:
    write_messages(
        factory.database,
        [Past(tenant, US_NUMBER, NOW - timedelta(minutes=place)) for place in range(120)],
    )
    together([counting] * 4)
    counting()
    assert sum(sends for sends, *_ in counted(factory).values()) == 120


def test_an_hour_in_which_nothing_changed_is_not_written(
    factory: Factory, tenant: Tenant, counting: Counting
) -> None:
    write_message(factory.database, tenant, NOW)
    counting()
    counting.later(seconds=10)
    with statements_of(factory.database) as asked:
        counting()
    texts = [text for text, _ in asked if "message_counts" in text]
    changes = [text for text in texts if not text.startswith("SELECT")]
    assert [one.split()[0] for one in changes] == ["DELETE"]  # of what is too old to be kept


def test_old_counts_are_deleted(factory: Factory, tenant: Tenant, counting: Counting) -> None:
    write_message(factory.database, tenant, NOW)
    counting()
    counting.later(days=101)
    factory.write(update(message_counting).values(counted_until=counting.clock.at))
    counting()
    assert counted(factory) == {}


def test_no_message_is_read_for_the_sums(
    factory: Factory, tenant: Tenant, counting: Counting
) -> None:
    write_messages(
        factory.database,
        [
            Past(tenant, US_NUMBER, NOW - timedelta(days=1, hours=hours), segments=2)
            for hours in range(3)
        ],
    )
    write_message(factory.database, tenant, NOW)
    counting()
    factory.write(messages.delete())
    with factory.database.reading() as c:
        since = (NOW - timedelta(days=2)).date()
        days = load_slot_counts(c, tenant.workspace_id, since, by="country", hourly=False)
        found = [(one.at.date().isoformat(), one.group, one.sends, one.segments) for one in days]
        assert found == [("2026-01-30", "US", 3, 6), ("2026-01-31", "US", 1, 1)]
        assert load_slot_counts(c, UUID(int=1), since, by="country", hourly=False) == []
        assert load_worker_signs(c).counted_until == NOW
        assert load_hour(c, NOW.replace(minute=0)) == {
            HourlyCount(
                tenant.workspace_id, "US", tenant.use_case_id, NO_ID, "", 1, 0, 0, 0, 1, 0, 0
            )
        }
