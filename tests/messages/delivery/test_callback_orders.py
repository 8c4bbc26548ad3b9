"""Any order and any duplication of callbacks, before or after the create answer, ends the same."""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, given, settings, strategies as st
from twilio.http.response import Response

from app.access.principal import Role
from app.providers.twilio.transport import NotConfirmed
from support.callbacks import message_id_of, new_sid
from support.factories import Gateway, Tenant
from support.fake_twilio import Call, accepted
from support.replace_services import another_client

Report = tuple[str, int | None]
REPORTS: list[Report] = [
    ("queued", None),
    ("sent", None),
    ("delivered", None),
    ("undelivered", None),
    ("undelivered", 30003),
    ("failed", 30007),
    ("failed", 30008),
]
OURS = {"queued": "pending"}
RANK = {"pending": 0, "sent": 1, "delivered": 2, "undelivered": 2, "failed": 2}


@dataclass
class Model:
    """Model the life of a message in a few lines, apart from `app/messages/lifecycle.py`."""

    status: str = "pending"
    error_code: int | None = None
    known: set[str] = field(default_factory=set)
    events: list[tuple[str, str, int | None, bool, str | None]] = field(default_factory=list)

    def hear(self, report: Report) -> None:
        word, code = report
        ours = OURS.get(word, word)
        applied = RANK[ours] > RANK[self.status]
        reason = None if applied else self._reason(ours)
        if applied or reason == "duplicate" or ours == "sent":
            self._learn(ours, code)
        self.status = ours if applied else self.status
        self.known.add("from_number")
        self.events.append((ours, word, code, applied, reason))

    def _reason(self, ours: str) -> str | None:
        if ours == self.status:
            return None if ours == "pending" else "duplicate"
        return "conflict" if RANK[ours] == 2 else "regression"

    def _learn(self, ours: str, code: int | None) -> None:
        if ours in {"sent", "delivered", "undelivered"}:
            self.known |= {"handed_off_at", "num_segments"}
        if ours == "delivered":
            self.known.add("delivered_at")
        if ours in {"undelivered", "failed"}:
            self.known.add("errored_at")
            self.error_code = self.error_code or code


def _play(
    gateway: Gateway, tenant: Tenant, early: list[Report], late: list[Report], lost: bool
) -> str:
    """Send a message; some callbacks come before the create answer, and that may be lost."""
    sid = new_sid()
    found: list[str] = []

    def report(news: Report) -> None:
        word, code = news
        extra = {} if code is None else {"ErrorCode": str(code)}
        answer = another_client(gateway).callback(found[0], sid, word, **extra)
        assert answer.status_code == 204

    def create(call: Call) -> Response:
        found.append(message_id_of(call))
        for news in early:
            report(news)
        if lost:
            raise NotConfirmed
        return accepted(sid=sid)

    gateway.twilio.script.append(create)
    assert gateway.send(tenant).status_code == (504 if lost else 201)
    for news in late:
        report(news)
    return found[0]


def _events(gateway: Gateway, tenant: Tenant, message_id: str) -> list[tuple[Any, ...]]:
    answer = gateway.get(f"/v1/sms/{message_id}/events", key=tenant.keys[Role.VIEWER])
    names = ("status", "provider_status", "error_code", "applied", "reason")
    return [tuple(event[name] for name in names) for event in answer.json["items"]]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    early=st.lists(st.sampled_from(REPORTS), max_size=4),
    late=st.lists(st.sampled_from(REPORTS), max_size=6),
    lost=st.booleans(),
)
def test_every_order_of_callbacks_follows_the_rule(
    gateway: Gateway, tenant: Tenant, early: list[Report], late: list[Report], lost: bool
) -> None:
    model = Model()
    for report in early + late:
        model.hear(report)

    message_id = _play(gateway, tenant, early, late, lost)

    message = gateway.get(f"/v1/sms/{message_id}", key=tenant.keys[Role.VIEWER]).json
    facts = ("from_number", "handed_off_at", "num_segments", "delivered_at", "errored_at")
    assert message["status"] == model.status
    assert message["error_code"] == model.error_code
    assert {name for name in facts if message[name] is not None} == model.known
    assert (message["message_sid"] is None) == (lost and not early + late)
    assert _events(gateway, tenant, message_id) == model.events


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(["queued", "sent", "sent", "delivered", "delivered"]))
def test_the_same_callbacks_in_any_order_make_the_same_message(
    gateway: Gateway, tenant: Tenant, order: list[str]
) -> None:
    message_id = _play(gateway, tenant, [], [(word, None) for word in order], lost=False)

    message = gateway.get(f"/v1/sms/{message_id}", key=tenant.keys[Role.VIEWER]).json
    assert message["status"] == "delivered"
    assert message["num_segments"] == 1
    assert message["from_number"] == "+12025550100"
    assert None not in (message["handed_off_at"], message["delivered_at"])
    applied = [event for event in _events(gateway, tenant, message_id) if event[3]]
    assert applied[-1][0] == "delivered"
    assert len(_events(gateway, tenant, message_id)) == len(order)
