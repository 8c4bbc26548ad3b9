"""Messages go with their events when their time is over; newer ones and their months stay."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from app.access.tables import workspaces
from app.db.engine import Database
from app.kernel.clock import Clock
from app.messages.retention.expire import Expired, ExpireMessages
from app.messages.tables import message_events, messages
from support.factories import Factory, Tenant
from support.locks import holding_messages
from support.months import create_partitions, partitions, write_event, write_message

KEPT = timedelta(days=400)
JANUARY = datetime(2040, 1, 31, 12, tzinfo=UTC)
FEBRUARY = datetime(2040, 2, 1, tzinfo=UTC)
MARCH = datetime(2040, 3, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


@pytest.fixture
def database(database: Database) -> Database:
    """A database in January 2040, all months that are long over dropped."""
    create_partitions(database, JANUARY)
    expire(database, JANUARY)
    return database


def expire(database: Database, now: datetime, days: int = 400) -> Expired:
    return ExpireMessages(database, Clock(lambda: now), days)()


def ids(database: Database, table: object = messages) -> set[object]:
    with database.reading() as c:
        return set(c.execute(select(table.c.id)).scalars())  # type: ignore[attr-defined]


def test_a_month_goes_and_nothing_of_the_next(database: Database, tenant: Tenant) -> None:
    old = write_message(database, tenant, FEBRUARY - MILLISECOND)
    new = write_message(database, tenant, FEBRUARY)
    write_event(database, old, FEBRUARY - MILLISECOND)
    newer_event = write_event(database, new, FEBRUARY)
    assert expire(database, FEBRUARY + KEPT - MILLISECOND) == Expired()
    gone = expire(database, FEBRUARY + KEPT)
    assert (gone.messages, gone.busy) == (1, ())
    assert ids(database) == {new}
    assert ids(database, message_events) == {newer_event}
    assert expire(database, FEBRUARY + KEPT) == Expired()


def test_events_of_the_next_month_are_not_visible_after_their_message(
    database: Database, tenant: Tenant
) -> None:
    old = write_message(database, tenant, FEBRUARY - MILLISECOND)
    write_event(database, old, FEBRUARY)
    expire(database, FEBRUARY + KEPT)
    expire(database, MARCH + KEPT)
    assert ids(database) | ids(database, message_events) == set()


@pytest.mark.parametrize("engine_name", ["postgresql"], indirect=True)
def test_on_postgresql_whole_months_are_dropped(database: Database, tenant: Tenant) -> None:
    write_message(database, tenant, FEBRUARY)
    before = partitions(database)
    place = before.index("messages_2040_03")
    gone = expire(database, MARCH + KEPT)
    assert [one for one in gone.partitions if one.startswith("messages_")] == before[:place]
    assert [one for one in gone.partitions if one.startswith("message_events_")] == (
        [one.replace("messages", "message_events") for one in before[:place]]
    )
    assert partitions(database) == ["messages_before", *before[place:]]
    assert partitions(database, message_events)[0] == "message_events_before"
    write_message(database, tenant, JANUARY)
    assert len(ids(database)) == 1


def test_the_workspace_that_keeps_its_numbers_longest_decides(
    database: Database, tenant: Tenant, factory: Factory
) -> None:
    factory.set(workspaces, tenant.workspace_id, number_retention_days=500)
    write_message(database, tenant, JANUARY)
    assert expire(database, FEBRUARY + timedelta(days=499)) == Expired()
    assert expire(database, FEBRUARY + timedelta(days=500)).messages == 1


def test_a_message_that_is_asked_about_stays_a_month_longer(
    database: Database, tenant: Tenant
) -> None:
    write_message(database, tenant, JANUARY, check_at=MARCH + KEPT)
    assert expire(database, FEBRUARY + KEPT) == Expired()
    assert expire(database, FEBRUARY + KEPT + timedelta(days=29)) == Expired()
    assert expire(database, FEBRUARY + KEPT + timedelta(days=30)).messages == 1


def test_rows_that_share_a_partition_with_newer_ones_are_deleted_in_batches(
    database: Database, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.messages.retention.expire.EXPIRE_BATCH", 2)
    old = [
        write_message(database, tenant, JANUARY - timedelta(days=200 + days)) for days in range(5)
    ]
    for one in old:
        write_event(database, one, JANUARY)
    new = write_message(database, tenant, JANUARY - timedelta(days=10))
    newer_event = write_event(database, new, JANUARY)
    assert expire(database, JANUARY, 90) == Expired(5)
    assert ids(database) == {new}
    assert ids(database, message_events) == {newer_event}


@pytest.mark.parametrize("engine_name", ["postgresql"], indirect=True)
def test_a_table_in_use_is_left_whole_and_tried_again(database: Database, tenant: Tenant) -> None:
    old = write_message(database, tenant, JANUARY)
    write_event(database, old, JANUARY)
    with holding_messages(database):
        assert expire(database, FEBRUARY + KEPT) == Expired(busy=("messages",))
    assert len(ids(database)) == len(ids(database, message_events)) == 1
    assert expire(database, FEBRUARY + KEPT).messages == 1
    assert ids(database, message_events) == set()


@pytest.mark.parametrize("engine_name", ["postgresql"], indirect=True)
def test_events_stay_where_a_message_of_theirs_does(database: Database, tenant: Tenant) -> None:
    kept = write_message(database, tenant, JANUARY, check_at=MARCH + KEPT)
    write_event(database, kept, JANUARY)
    write_event(database, kept, FEBRUARY)
    assert expire(database, MARCH + KEPT).messages == 0
    assert len(ids(database, message_events)) == 2
