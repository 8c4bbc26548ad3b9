"""Threads that report or send the same thing at once: every compare-and-set, on both engines."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from twilio.http.response import Response

from app.access.principal import Role
from app.messages.sending import send as send_module
from app.messages.sending.send import InFlight
from app.messages.tables import idempotency_keys, message_events, messages
from support.callbacks import message_id_of, new_sid
from support.factories import Factory, Gateway, Tenant
from support.fake_twilio import Call, accepted
from support.replace_services import another_client, replace_services
from support.threads import PATIENCE_SECONDS, Gate, together

THREADS = 8
TERMINALS = ["delivered", "undelivered", "failed", "delivered", "canceled", "undelivered", "failed"]


def _report(gateway: Gateway, sent: Any, word: str, code: int) -> Callable[[], int]:
    beside = another_client(gateway)
    extra = {} if word == "delivered" else {"ErrorCode": str(code)}

    def report() -> int:
        answer = beside.callback(sent["id"], sent["message_sid"], word, **extra)
        return int(answer.status_code)

    return report


def _check_one_end(gateway: Gateway, tenant: Tenant, message_id: str, reports: int) -> None:
    key = tenant.keys[Role.VIEWER]
    events = gateway.get(f"/v1/sms/{message_id}/events", key=key).json["items"]
    assert len(events) == reports
    ends = [event for event in events if event["applied"] and event["status"] != "sent"]
    assert len(ends) == 1
    message = gateway.get(f"/v1/sms/{message_id}", key=key).json
    assert message["status"] == ends[0]["status"]
    assert message["error_code"] == ends[0]["error_code"]
    assert (message["delivered_at"] is None) == (message["status"] != "delivered")
    assert (message["errored_at"] is None) == (message["status"] == "delivered")


def test_exactly_one_of_contradicting_concurrent_callbacks_is_applied(
    gateway: Gateway, tenant: Tenant
) -> None:
    for _ in range(5):
        sent = gateway.send(tenant).json
        words = ["sent", *TERMINALS]
        answers = together(
            [_report(gateway, sent, word, 30001 + place) for place, word in enumerate(words)]
        )
        assert answers == [204] * THREADS
        _check_one_end(gateway, tenant, sent["id"], THREADS)


@pytest.mark.parametrize("engine_name", ["postgresql"], indirect=True)
def test_callbacks_that_waited_for_the_same_row_see_each_others_writes(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    # On SQLite there is one writer at a time: no row is waited for.
    sent = gateway.send(tenant).json
    words = [*TERMINALS, "delivered"]
    threads = [
        threading.Thread(target=_report(gateway, sent, word, 30001 + place))
        for place, word in enumerate(words)
    ]
    with factory.database.writing() as connection:
        connection.execute(messages.select().with_for_update()).all()
        for thread in threads:
            thread.start()
        _wait_until(lambda: _waiting(factory) == len(words))
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    _check_one_end(gateway, tenant, sent["id"], len(words))


def _waiting(factory: Factory) -> int:
    with factory.database.reading() as connection:
        asked = "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted"
        return int(connection.exec_driver_sql(asked).scalar_one())


def _wait_until(is_so: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(int(PATIENCE_SECONDS / 0.01)):
        if is_so():
            return
        pause.wait(0.01)
    raise TimeoutError


def test_exactly_one_of_concurrent_sends_with_one_key_reaches_the_provider(
    gateway: Gateway, tenant: Tenant, factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_services(gateway, in_flight=InFlight(3 * THREADS))  # a place for each of them
    gate = Gate(THREADS)
    others_are_done = threading.Event()
    read = send_module.load_send_context

    def read_and_wait(*values: Any, **named: Any) -> Any:
        found = read(*values, **named)
        gate.wait()  # nobody writes before everybody has read that the key is free
        return found

    def create(_call: Call) -> Response:
        assert others_are_done.wait(PATIENCE_SECONDS)
        return accepted(sid="SM" + "1" * 32)

    monkeypatch.setattr(send_module, "load_send_context", read_and_wait)
    gateway.twilio.script.append(create)
    answers = []

    def send(beside: Gateway) -> None:
        answers.append(beside.send(tenant, Idempotency_Key="k"))
        if len(answers) == THREADS - 1:
            others_are_done.set()

    together([partial(send, another_client(gateway)) for _ in range(THREADS)])

    (first,) = [answer for answer in answers if answer.status_code == 201]
    assert first is answers[-1]
    losers = answers[:-1]
    assert {(a.status_code, a.json["code"]) for a in losers} == {(409, "IdempotencyConflict")}
    assert {answer.headers["Retry-After"] for answer in losers} == {"1"}
    assert len(gateway.twilio.calls) == 1
    assert len(factory.rows(messages)) == 1
    assert len(factory.rows(idempotency_keys)) == 1
    monkeypatch.undo()
    assert gateway.send(tenant, Idempotency_Key="k").data == first.data


@dataclass
class CallbackBeside:
    """A create call during which another thread reports; which of the two ends first is open."""

    gateway: Gateway
    sid: str
    started: threading.Barrier = field(default_factory=lambda: threading.Barrier(2))
    thread: threading.Thread | None = None
    statuses: list[int] = field(default_factory=list)

    def __call__(self, call: Call) -> Response:
        self.thread = threading.Thread(target=self._report, args=(message_id_of(call),))
        self.thread.start()
        self.started.wait(PATIENCE_SECONDS)
        return accepted(sid=self.sid)

    def _report(self, message_id: str) -> None:
        beside = another_client(self.gateway)
        self.started.wait(PATIENCE_SECONDS)
        self.statuses.append(beside.callback(message_id, self.sid, "delivered").status_code)

    def join(self) -> None:
        assert self.thread is not None
        self.thread.join(PATIENCE_SECONDS)


def test_concurrent_callback_and_create_answer_lose_nothing(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    sids = [new_sid() for _ in range(5)]
    for sid in sids:
        create = CallbackBeside(gateway, sid)
        gateway.twilio.script.append(create)
        assert gateway.send(tenant).status_code == 201
        create.join()
        assert create.statuses == [204]
    rows = factory.rows(messages)
    assert {(row["submission"], row["status"]) for row in rows} == {("accepted", "delivered")}
    assert sorted(row["message_sid"] for row in rows) == sorted(sids)
    assert len(factory.rows(message_events)) == len(sids)
