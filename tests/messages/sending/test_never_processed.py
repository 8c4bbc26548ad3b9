"""What the provider never processed: tried again within 3 seconds, then given back to the client."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from twilio.http.response import Response

from app.access.principal import Role
from app.messages.sending.send import TRY_FOR_SECONDS, InFlight, Pace, submit
from app.messages.tables import idempotency_keys, messages
from app.providers.port import NeverProcessed, Outbound, Outcome
from app.providers.twilio.transport import NotConnected, Throttled
from support.factories import Factory, Gateway, Tenant
from support.fake_twilio import Call, accepted
from support.replace_services import another_client, replace_services
from support.time import FakePace

NOTHING: Any = None  # no message is needed where the provider is a stand-in


@dataclass
class Always:
    """A provider that always ends the same."""

    outcome: Outcome
    meanwhile: Callable[[], None] = lambda: None
    tries: int = 0

    def create(self, _outbound: Outbound) -> Outcome:
        self.tries += 1
        self.meanwhile()
        return self.outcome


@pytest.mark.parametrize("failure", [NotConnected(), Throttled(None), Throttled(1.0)])
def test_a_try_that_never_left_is_made_again(
    gateway: Gateway, tenant: Tenant, pace: FakePace, failure: Exception
) -> None:
    gateway.twilio.script += [failure, failure]
    sent = gateway.send(tenant)
    assert sent.status_code == 201
    assert len(gateway.twilio.calls) == 3
    # Every try is the same submission.
    assert len({call.data["StatusCallback"] for call in gateway.twilio.calls}) == 1
    assert len(pace.slept) == 2


@pytest.mark.parametrize(
    ("failure", "slept", "retry_after"),
    [
        (NotConnected(), [0.2, 0.4, 0.8], "5"),
        (Throttled(None), [0.2, 0.4, 0.8], "5"),
        (Throttled(1.2), [1.2, 1.2], "2"),
        (Throttled(30.0), [], "30"),
    ],
)
def test_after_3_seconds_the_client_is_asked_to_try_again(
    gateway: Gateway, tenant: Tenant, failure: Exception, slept: list[float], retry_after: str
) -> None:
    pace = FakePace()
    replace_services(gateway, pace=pace.pace())
    gateway.twilio.script += [failure] * 10

    sent = gateway.send(tenant)

    assert (sent.status_code, sent.json["code"]) == (503, "ProviderUnavailable")
    assert sent.headers["Retry-After"] == retry_after
    assert pace.slept == pytest.approx(slept)
    assert pace.at < TRY_FOR_SECONDS == 3.0
    assert len(gateway.twilio.calls) == len(slept) + 1


def test_unprocessed_send_leaves_no_message_and_frees_the_idempotency_key(
    gateway: Gateway, tenant: Tenant, factory: Factory, pace: FakePace
) -> None:
    gateway.twilio.script.append(Throttled(30.0))
    assert gateway.send(tenant, Idempotency_Key="k").status_code == 503
    (row,) = factory.rows(messages)
    assert (row["submission"], row["body"]) == ("never_processed", None)
    assert factory.rows(idempotency_keys) == []
    key = tenant.keys[Role.VIEWER]
    assert gateway.get(f"/v1/sms/{row['id']}", key=key).status_code == 404
    assert gateway.get(f"/v1/sms/{row['id']}/events", key=key).status_code == 404
    assert gateway.get("/v1/sms", key=key).json["items"] == []
    assert gateway.send(tenant, Idempotency_Key="k").status_code == 201


@pytest.mark.parametrize(
    ("wanted", "slept"),
    [
        (None, [0.2, 0.4, 0.8]),
        (0.0, [0.2, 0.4, 0.8]),
        (0.3, [0.3, 0.4, 0.8]),
        (1.0, [1.0, 1.0]),
        (2.9, [2.9]),
        (3.0, []),
        (86400.0, []),
    ],
)
def test_the_wait_that_the_provider_wants_is_kept_if_it_fits_into_3_seconds(
    wanted: float | None, slept: list[float]
) -> None:
    pace = FakePace()
    outcome = submit(Always(NeverProcessed(wanted)), NOTHING, pace.pace())
    assert outcome == NeverProcessed(wanted)
    assert pace.slept == pytest.approx(slept)


def test_time_of_connecting_counts() -> None:
    pace = FakePace()

    def connect_in_vain() -> None:
        pace.at += 1.25

    slow = Always(NeverProcessed(), connect_in_vain)
    assert submit(slow, NOTHING, pace.pace()) == NeverProcessed()
    assert slow.tries == 2
    assert pace.at <= TRY_FOR_SECONDS


def test_the_pauses_of_different_threads_differ() -> None:
    pace = FakePace()
    late = Pace(pace.pace().monotonic, pace.sleep, jitter=lambda: 1.0)

    submit(Always(NeverProcessed()), NOTHING, late)
    assert pace.slept == pytest.approx([0.3, 0.6, 1.2])


def test_send_without_free_place_is_rate_limited_and_writes_nothing(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    replace_services(gateway, in_flight=InFlight(1))
    second = []

    def create(_call: Call) -> Response:
        second.append(another_client(gateway).send(tenant))
        return accepted(sid="SM" + "1" * 32)

    gateway.twilio.script.append(create)
    assert gateway.send(tenant).status_code == 201
    assert (second[0].status_code, second[0].json["code"]) == (429, "RateLimited")
    assert second[0].headers["Retry-After"] == "1"
    assert len(factory.rows(messages)) == 1
    assert gateway.send(tenant).status_code == 201
