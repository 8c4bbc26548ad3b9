"""A host whose clock is wrong deletes nothing, sends nothing twice and holds nothing up."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import update
from structlog.testing import capture_logs

from app.access.principal import Role
from app.db.clock import ClocksDiffer
from app.db.engine import Database
from app.db.heartbeats import last_beat
from app.db.schema import upgrade
from app.guards.purge import PurgeGuards
from app.kernel.clock import Clock, host_now, utc_now
from app.kernel.ids import first_id_at, new_id
from app.messages.reconciliation.claims import ClaimLane, claim_due
from app.messages.retention.expire import ExpireMessages
from app.messages.retention.partitions import CreatePartitions
from app.messages.retention.purge import Purge
from app.messages.statistics.aggregate import AggregateMessages
from app.messages.tables import idempotency_keys, message_counting, message_counts, messages
from app.users.sessions import PurgeSessions
from app.webhooks.outbox import PurgeWebhooks
from app.worker.housekeeping import Heartbeat, HourlyMonths, HourlyPurge
from support.factories import Factory, Gateway, Tenant
from support.months import partitions, write_event, write_message
from support.time import host_clock_ahead

WRONG = (timedelta(seconds=61), timedelta(hours=25), timedelta(days=366))
MOMENT = timedelta(seconds=2)


def deletions(database: Database) -> dict[str, Callable[[], object]]:
    """Everything that deletes, or changes tables, by the time."""
    return {
        "purge": Purge(database, Clock(), "k" * 32),
        "purge webhooks": PurgeWebhooks(database, Clock()),
        "purge sessions": PurgeSessions(database, Clock()),
        "expire": ExpireMessages(database, Clock(), 400),
        "purge guards": PurgeGuards(database, Clock()),
        "make months": CreatePartitions(database, Clock()),
        "upgrade": lambda: upgrade(database),
    }


def hourly(database: Database) -> HourlyPurge:
    return HourlyPurge(
        Purge(database, Clock(), "k" * 32),
        PurgeWebhooks(database, Clock()),
        PurgeSessions(database, Clock()),
        ExpireMessages(database, Clock(), 400),
        PurgeGuards(database, Clock()),
    )


def test_nothing_is_deleted_and_no_table_changed_by_a_wrong_clock(database: Database) -> None:
    """Break: leave out `require_same_time` in any of the operations."""
    for amount in WRONG:
        for by in (amount, -amount):
            with host_clock_ahead(by):
                done = []
                for name, operation in deletions(database).items():
                    try:
                        operation()
                    except ClocksDiffer as problem:
                        assert "correct the clock" in str(problem)  # noqa: PT017
                        assert abs(problem.skew - by) < MOMENT  # noqa: PT017
                    else:
                        done.append(name)
                assert done == []
    for by in (timedelta(0), timedelta(seconds=55), timedelta(seconds=-55)):
        with host_clock_ahead(by):
            for operation in deletions(database).values():
                operation()


def test_a_clock_that_is_set_while_connections_are_open_is_measured_again(
    database: Database,
) -> None:
    """Break: in `measure_by_connections`, do not listen to "checkout"."""
    with database.reading():
        pass
    for by in (timedelta(days=40), timedelta(seconds=-180), timedelta(seconds=3)):
        true = host_now()
        with host_clock_ahead(by):
            with database.reading():
                pass
            assert abs(utc_now() - true) < MOMENT
            assert abs((host_now() - by) - true) < MOMENT
        assert abs(utc_now() - true) < MOMENT


def test_a_worker_ahead_keeps_live_idempotency_keys_and_the_same_key_sends_once(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    """Break: let `utc_now` return the host's time, or leave out the guard in `Purge`."""
    first = gateway.send(tenant, Idempotency_Key="k")
    with host_clock_ahead(timedelta(hours=25)):
        with capture_logs() as lines:
            hourly(factory.database).run_once()
            HourlyMonths(CreatePartitions(factory.database, Clock())).run_once()
        assert [line["event"] for line in lines] == ["clocks_differ"] * 2
        assert len(factory.rows(idempotency_keys)) == 1
        again = gateway.send(tenant, Idempotency_Key="k")
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json == first.json
    assert gateway.send(tenant, Idempotency_Key="k").json == first.json
    assert len(gateway.twilio.calls) == 1


def test_rows_of_a_host_with_a_wrong_clock_have_database_times_and_ids(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    """Break: let `utc_now` return the host's time."""
    key = tenant.keys[Role.VIEWER]
    for by in (timedelta(days=40), timedelta(minutes=-16)):
        began = utc_now()
        with host_clock_ahead(by):
            sent = gateway.send(tenant).json
            assert gateway.callback(sent["id"], sent["message_sid"], "sent").status_code == 204
            minted = new_id()
        row = next(row for row in factory.rows(messages) if str(row["id"]) == sent["id"])
        assert abs(row["created_at"] - began) < timedelta(seconds=30)
        assert first_id_at(began - MOMENT) < row["id"] < minted < first_id_at(utc_now() + MOMENT)
        # The next one, of a host that is right, comes after it.
        later = gateway.send(tenant).json
        listed = gateway.get("/v1/sms?limit=2", key=key).json["items"]
        assert [one["id"] for one in listed] == [later["id"], sent["id"]]


def test_a_claim_of_a_wrong_host_ends_when_its_lease_does(
    database: Database, tenant: Tenant, factory: Factory
) -> None:
    """Break: let `utc_now` return the host's time."""
    message_id = write_message(database, tenant, utc_now(), check_at=utc_now() + timedelta(hours=1))
    with host_clock_ahead(timedelta(days=2)), database.writing() as connection:
        assert claim_due(connection, Clock().now(), 10, ClaimLane.SETTLED) == []
    factory.set(messages, message_id, check_at=utc_now() - MOMENT)
    with host_clock_ahead(timedelta(days=-2)), database.writing() as connection:
        (claimed,) = claim_due(connection, Clock().now(), 10, ClaimLane.SETTLED)
    assert abs(claimed.leased_until - utc_now()) < timedelta(minutes=1)


@pytest.mark.parametrize("engine_name", ["postgresql"], indirect=True)
def test_months_are_not_made_a_year_ahead(database: Database) -> None:
    """Break: leave out `require_same_time` in `CreatePartitions`."""
    before = partitions(database)
    with host_clock_ahead(timedelta(days=365)), pytest.raises(ClocksDiffer):
        CreatePartitions(database, Clock())()
    assert partitions(database) == before


def test_a_worker_with_a_wrong_clock_beats_with_the_right_time_and_logs_it(
    database: Database,
) -> None:
    """Break: leave out `_log_difference` in `Heartbeat`."""
    began = utc_now()
    with host_clock_ahead(timedelta(hours=-3)), capture_logs() as lines:
        Heartbeat(database, Clock(), "slow").run_once()
    assert [(line["event"], line["log_level"]) for line in lines] == [("clocks_differ", "error")]
    assert abs(lines[0]["skew_seconds"] + 3 * 3600) < MOMENT.total_seconds()
    with database.reading() as connection:
        at = last_beat(connection)
    assert at is not None
    assert timedelta(0) <= at - began < timedelta(minutes=1)


def sends_counted(factory: Factory) -> dict[str, int]:
    rows = factory.rows(message_counts)
    return {name: sum(row[name] for row in rows) for name in ("sends", "undelivered")}


def count(worker: AggregateMessages, rounds: int = 1) -> None:
    for _ in range(rounds):
        while worker.run_once():
            pass


@pytest.mark.parametrize("event_is_late_by", [timedelta(seconds=180), timedelta(days=-40)])
def test_a_callback_with_an_id_of_a_wrong_time_is_counted(
    database: Database, tenant: Tenant, factory: Factory, event_is_late_by: timedelta
) -> None:
    """Break: in `AggregateMessages`, an overlap of 2 minutes; or leave out the review."""
    now = utc_now()
    message_id = write_message(database, tenant, now - timedelta(hours=5))
    worker = AggregateMessages(database, Clock())
    count(worker)
    assert sends_counted(factory) == {"sends": 1, "undelivered": 0}
    factory.set(messages, message_id, status="undelivered")
    write_event(database, message_id, now - event_is_late_by)
    count(worker, rounds=7)
    assert sends_counted(factory) == {"sends": 1, "undelivered": 1}


def test_counting_continues_after_a_worker_was_ahead(
    database: Database, tenant: Tenant, factory: Factory
) -> None:
    """Break: in `acquire_count_lease`, respect any lease; in `run_once`, begin at `counted_until` alone."""
    ahead = utc_now() + timedelta(days=40)
    count(AggregateMessages(database, Clock()))
    with database.writing() as connection:
        values = {"counted_until": ahead, "leased_until": ahead}
        connection.execute(update(message_counting).values(**values))
    write_message(database, tenant, utc_now())
    count(AggregateMessages(database, Clock()))
    assert sends_counted(factory)["sends"] == 1
