"""A signed callback is never lost, whatever the worker concludes or takes back at that moment."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import permutations, product
from uuid import UUID

import pytest
from sqlalchemy import Connection, delete, select, update

from app.db.engine import Database
from app.kernel.phone import PhoneNumber
from app.messages.delivery.apply_report import Report, apply_report
from app.messages.delivery.guessed_sids import release, take_back
from app.messages.delivery.track import TrackDelivery
from app.messages.sending.open_submission import NewSubmission
from app.messages.sending.record_outcome import RecordOutcome
from app.messages.tables import message_events, messages
from app.providers.port import Accepted, DeliveryReport, Status
from support.replace_services import another_client
from support.threads import PATIENCE_SECONDS
from support.worker_setup import SID, Worker

SECOND_SID = "SM" + "2" * 32
THIRD_SID = "SM" + "3" * 32


@dataclass
class Rivals:
    """Three submissions that could be mistaken for each other, and what others do to them."""

    account_sid: str
    now: datetime
    first: UUID
    second: UUID
    third: UUID

    def report(self, message_id: UUID, sid: str) -> DeliveryReport:
        return DeliveryReport(
            account_sid=self.account_sid,
            message_sid=sid,
            message_id=message_id,
            status=Status.DELIVERED,
            provider_status="delivered",
            is_signed=True,
        )

    def reset(self, connection: Connection) -> None:
        connection.execute(delete(message_events))
        connection.execute(
            update(messages).values(
                submission="unconfirmed",
                message_sid=None,
                sid_source=None,
                status="pending",
                delivered_at=None,
                errored_at=None,
                check_at=self.now,
            )
        )

    def _guess(self, connection: Connection, message_id: UUID, sid: str) -> None:
        """Do as the worker does that finds a message in a list."""
        is_held = select(messages.c.id).where(messages.c.message_sid == sid)
        if connection.execute(is_held).first() is None:
            connection.execute(
                update(messages)
                .where(messages.c.id == message_id, messages.c.submission == "unconfirmed")
                .values(
                    submission="accepted",
                    message_sid=sid,
                    sid_source="list",
                    status="failed",
                    errored_at=self.now,
                )
            )

    def _end(self, connection: Connection, message_id: UUID) -> None:
        connection.execute(
            update(messages)
            .where(messages.c.id == message_id, messages.c.submission == "unconfirmed")
            .values(submission="not_confirmed", status="failed", errored_at=self.now, check_at=None)
        )

    def _callback(self, connection: Connection, message_id: UUID, sid: str) -> None:
        take_back(connection, message_id, self.account_sid, sid, self.now)
        apply_report(connection, Report(self.report(message_id, sid), self.now))

    def gives_first_the_sid(self, connection: Connection) -> None:
        self._guess(connection, self.first, SID)

    def gives_second_another_sid(self, connection: Connection) -> None:
        self._guess(connection, self.second, SECOND_SID)

    def ends_first(self, connection: Connection) -> None:
        self._end(connection, self.first)

    def ends_second(self, connection: Connection) -> None:
        self._end(connection, self.second)

    def reports_first(self, connection: Connection) -> None:
        self._callback(connection, self.first, THIRD_SID)

    def reports_third(self, connection: Connection) -> None:
        self._callback(connection, self.third, SECOND_SID)

    def looks_at_guesses(self, connection: Connection) -> None:
        guesses = select(messages.c.id, messages.c.message_sid).where(
            messages.c.sid_source == "list"
        )
        for row in connection.execute(guesses).all():
            release(connection, row.id, row.message_sid, self.now)

    def asks_about_first(self, connection: Connection) -> None:
        """Apply the worker's answer about the SID that the first had when it asked."""
        delivery = DeliveryReport(self.account_sid, SID, self.first, Status.SENT, "sent")
        apply_report(connection, Report(delivery, self.now))

    @property
    def all(self) -> list[Callable[[Connection], None]]:
        return [
            self.gives_first_the_sid,
            self.gives_second_another_sid,
            self.ends_first,
            self.ends_second,
            self.reports_first,
            self.reports_third,
            self.looks_at_guesses,
            self.asks_about_first,
        ]


@dataclass
class Interrupted(Database):
    """A database in which others write between the transactions of one operation."""

    url: str
    others: Database
    steps: list[list[Callable[[Connection], None]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(self.url, pool_size=1)

    def let_others(self) -> None:
        for step in self.steps.pop(0) if self.steps else []:
            with self.others.writing() as connection:
                step(connection)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        self.let_others()
        with super().writing() as connection:
            yield connection

    @contextmanager
    def writing_once(self) -> Iterator[Connection]:
        self.let_others()
        with super().writing_once() as connection:
            yield connection


@pytest.fixture
def rivals(worker: Worker) -> Rivals:
    first, second, third = (UUID(worker.unconfirmed()) for _ in range(3))
    return Rivals(worker.tenant.account_sid, worker.clock.at, first, second, third)


def outcome(worker: Worker, rivals: Rivals, applied: object) -> tuple[object, ...]:
    """Return whether the report was applied, the second message, and who else has its SID."""
    with worker.factory.database.writing() as connection:
        rivals.looks_at_guesses(connection)
    rows = {row["id"]: row for row in worker.factory.rows(messages)}
    second = rows[rivals.second]
    others = [row["id"] for row in rows.values() if row is not second and row["message_sid"] == SID]
    return applied is not None, second["status"], second["message_sid"], others


KEPT = (True, "delivered", SID, [])


def test_callback_is_applied_despite_writes_between_its_transactions(
    worker: Worker, rivals: Rivals
) -> None:
    """Break: in `app/messages/delivery/guessed_sids.py`, `take_back`, return None where nothing is reset."""
    url = worker.factory.database.engine.url.render_as_string(hide_password=False)
    database = Interrupted(url, worker.factory.database)
    track = TrackDelivery(database, worker.gateway.services.clock)
    failed = []
    for steps in permutations(rivals.all, 2):
        for places in ((0, 1), (1, 1), (1, 2)):
            with worker.factory.database.writing() as connection:
                rivals.reset(connection)
            database.steps = [
                [step for step, at in zip(steps, places, strict=True) if at == place]
                for place in range(3)
            ]
            applied = track(rivals.report(rivals.second, SID))
            while database.steps:
                database.let_others()
            found = outcome(worker, rivals, applied)
            if found != KEPT:
                failed.append((found, [step.__name__ for step in steps], places))
    database.close()
    assert failed == []


@pytest.mark.parametrize("engine_name", ["postgresql"], indirect=True)
def test_callbacks_that_exchange_two_guesses_never_wait_for_each_other(
    worker: Worker, rivals: Rivals
) -> None:
    """Break: in `app/messages/delivery/guessed_sids.py`, `take_back`, lock the own row last."""
    database = worker.factory.database
    truth = {rivals.second: SID, rivals.first: SECOND_SID}
    answers: list[int] = []

    def report(message_id: UUID) -> None:
        own = another_client(worker.gateway)
        answers.append(own.callback(str(message_id), truth[message_id], "delivered").status_code)

    with database.writing() as connection:
        rivals.reset(connection)
        rivals.gives_first_the_sid(connection)
        rivals.gives_second_another_sid(connection)
    threads = [threading.Thread(target=report, args=(message_id,)) for message_id in truth]
    with database.writing() as connection:
        of_first = select(messages.c.id).where(messages.c.id == rivals.first)
        connection.execute(of_first.with_for_update()).all()
        for place, thread in enumerate(threads):
            thread.start()
            _wait_for(thread, database, waiting=place + 1)
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert answers == [204, 204]
    rows = {row["id"]: row for row in worker.factory.rows(messages)}
    found = {one: (rows[one]["status"], rows[one]["message_sid"]) for one in truth}
    assert found == {one: ("delivered", sid) for one, sid in truth.items()}


def test_answer_is_kept_despite_writes_between_its_transactions(
    worker: Worker, rivals: Rivals
) -> None:
    """Break: in `app/messages/delivery/guessed_sids.py`, `take_back`, return None where nothing is reset."""
    url = worker.factory.database.engine.url.render_as_string(hide_password=False)
    database = Interrupted(url, worker.factory.database)
    record = RecordOutcome(database, worker.gateway.services.clock)
    (row,) = worker.factory.rows(messages, id=rivals.second)
    new = NewSubmission(
        message_id=rivals.second,
        **{
            name: row[name]
            for name in ("workspace_id", "use_case_id", "account_sid", "country", "body")
        },
        to_number=PhoneNumber(row["to_number"]),
        counted_segments=1,
        policy_revision=1,
        created_at=row["created_at"],
    )
    failed = []
    for steps in permutations(rivals.all, 2):
        with worker.factory.database.writing() as connection:
            rivals.reset(connection)
        database.steps = [[steps[0]], [steps[1]]]
        answer = record(new, Accepted(SID, None))
        found = outcome(worker, rivals, json.loads(answer))
        if found != (True, "pending", SID, []):
            failed.append((found, [step.__name__ for step in steps]))
    database.close()
    assert failed == []


@pytest.mark.parametrize("engine_name", ["postgresql"], indirect=True)
def test_callback_is_applied_despite_commits_while_it_waits(worker: Worker, rivals: Rivals) -> None:
    """Break: in `app/messages/delivery/apply_report.py`, `_FITS`, leave out the condition on the source.

    On SQLite one transaction writes at a time: there is nothing to wait for.
    """
    others = worker.factory.database
    url = others.engine.url.render_as_string(hide_password=False)
    database = Database(url, pool_size=1)
    track = TrackDelivery(database, worker.gateway.services.clock)
    failed = []
    for (before, meanwhile), locks_all in product(permutations(rivals.all, 2), (True, False)):
        applied: list[object] = []

        def report(applied: list[object] = applied) -> None:
            applied.append(track(rivals.report(rivals.second, SID)))

        with others.writing() as connection:
            rivals.reset(connection)
            before(connection)
        thread = threading.Thread(target=report)
        with others.writing() as connection:
            if locks_all:  # as the worker does while it decides about a list
                connection.execute(select(messages.c.id).with_for_update()).all()
            meanwhile(connection)
            thread.start()
            _wait_for(thread, others)
        thread.join(PATIENCE_SECONDS)
        found = outcome(worker, rivals, applied and applied[0])
        if found != KEPT:
            failed.append((found, before.__name__, meanwhile.__name__, locks_all))
    database.close()
    assert failed == []


def _wait_for(thread: threading.Thread, database: Database, waiting: int = 1) -> None:
    """Wait until a thread has ended or waits for a lock."""
    count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND"
    count += " wait_event_type = 'Lock'"
    pause = threading.Event()
    for _ in range(int(PATIENCE_SECONDS / 0.005)):
        with database.reading() as connection:
            is_waiting = connection.exec_driver_sql(count).scalar_one() >= waiting
        if is_waiting or not thread.is_alive():
            return
        pause.wait(0.005)
    raise TimeoutError
