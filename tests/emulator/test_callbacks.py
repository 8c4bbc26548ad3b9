"""Status callbacks: what they hold, in which order they come, and when they are tried again."""

import socket
from collections.abc import Callable
from typing import Any

import pytest

from app.emulator.emulator import Emulator
from app.emulator.records import Stage, TwilioStatus
from app.emulator.scenarios import CallbackMode, FinalStatus, Scenario

SERVICE = "MG" + "2" * 32


def test_callback_has_twilios_fields_and_a_signature(twilio: Any) -> None:
    message = twilio.deliver()

    queued, sent, delivered = twilio.receiver.received
    sender = message.fetch().from_
    assert delivered.form == {
        "AccountSid": message.account_sid,
        "MessageSid": message.sid,
        "SmsSid": message.sid,
        "MessageStatus": "delivered",
        "SmsStatus": "delivered",
        "From": sender,
        "To": "+12025550143",
        "ApiVersion": "2010-04-01",
        "MessagingServiceSid": SERVICE,
        "RawDlrDoneDate": "2611221230",
    }
    assert queued.form["From"] == sender
    assert "RawDlrDoneDate" not in sent.form
    assert delivered.headers["User-Agent"] == "TwilioProxy/1.1"
    assert delivered.headers["Content-Type"].startswith("application/x-www-form-urlencoded")
    assert delivered.path == "/status?message_id=m-1"
    assert all(twilio.receiver.is_genuine(received) for received in twilio.receiver.received)


def test_a_sender_chosen_by_the_caller_skips_queued_and_the_service(twilio: Any) -> None:
    twilio.client.messages.create(
        to="+12025550143", from_="+12025550199", body="Hi", status_callback=twilio.receiver.url
    )
    twilio.quiet()

    assert twilio.receiver.statuses == ["sent", "delivered"]
    assert all("MessagingServiceSid" not in received.form for received in twilio.receiver.received)


@pytest.mark.parametrize(
    ("scenario", "statuses"),
    [
        (Scenario(), ["queued", "sent", "delivered"]),
        (Scenario(callbacks=CallbackMode.REVERSED), ["delivered", "sent", "queued"]),
        (
            Scenario(callbacks=CallbackMode.DUPLICATED),
            ["queued", "queued", "sent", "sent", "delivered", "delivered"],
        ),
        (
            Scenario(callbacks=CallbackMode.DELAYED, delay_seconds=0.01),
            ["queued", "sent", "delivered"],
        ),
        (Scenario(callbacks=CallbackMode.LOST), []),
        (Scenario(final=FinalStatus.SENT_ONLY), ["queued", "sent"]),
        (Scenario(final=FinalStatus.UNDELIVERED), ["queued", "sent", "undelivered"]),
        (Scenario(final=FinalStatus.FAILED), ["queued", "failed"]),
    ],
)
def test_each_scenario_brings_its_callbacks(
    twilio: Any, scenario: Scenario, statuses: list[str]
) -> None:
    twilio.emulator.scenarios.queue(scenario)
    message = twilio.deliver()

    assert twilio.receiver.statuses == statuses
    final = "sent" if scenario.final is FinalStatus.SENT_ONLY else scenario.final.value
    assert message.fetch().status == final


@pytest.mark.parametrize("final", [FinalStatus.UNDELIVERED, FinalStatus.FAILED])
def test_only_a_failure_carries_an_error_code(twilio: Any, final: FinalStatus) -> None:
    twilio.emulator.scenarios.queue(Scenario(final=final, error_code=30007))
    message = twilio.deliver()

    *others, last = twilio.receiver.received
    assert last.form["ErrorCode"] == "30007"
    assert all("ErrorCode" not in other.form for other in others)
    assert message.fetch().error_code == 30007


def test_a_wrongly_signed_callback_fails_twilios_own_check(twilio: Any) -> None:
    twilio.emulator.scenarios.queue(Scenario(callbacks=CallbackMode.WRONGLY_SIGNED))
    twilio.deliver()

    assert twilio.receiver.statuses == ["queued", "sent", "delivered"]
    assert not any(twilio.receiver.is_genuine(received) for received in twilio.receiver.received)


def test_query_with_special_characters_is_signed_unchanged(twilio: Any) -> None:
    twilio.deliver(status_callback=f"{twilio.receiver.url}?note=it%27s%20%C3%A9&empty=&x=1+2")

    assert twilio.receiver.received[0].path == "/status?note=it%27s%20%C3%A9&empty=&x=1+2"
    assert all(twilio.receiver.is_genuine(received) for received in twilio.receiver.received)


def test_by_default_neither_an_error_nor_a_rejection_is_tried_again(twilio: Any) -> None:
    twilio.receiver.plan = [500, 403]
    twilio.deliver()

    assert twilio.receiver.statuses == ["queued", "sent", "delivered"]
    attempts = twilio.emulator.callbacks
    assert [attempt.http_status for attempt in attempts] == [500, 403, 204]


def test_retries_keep_the_idempotency_token_and_each_callback_has_its_own(twilio: Any) -> None:
    twilio.receiver.plan = [500, 503]
    twilio.deliver(status_callback=f"{twilio.receiver.url}#rc=5&rp=5xx,ct,rt")

    assert twilio.receiver.statuses == ["queued", "queued", "queued", "sent", "delivered"]
    tokens = [
        received.headers["I-Twilio-Idempotency-Token"] for received in twilio.receiver.received
    ]
    assert len(set(tokens[:3])) == 1
    assert len(set(tokens)) == 3
    assert all(twilio.receiver.is_genuine(received) for received in twilio.receiver.received)
    assert twilio.receiver.received[0].path == "/status"


@pytest.mark.parametrize(
    ("fragment", "answers", "tries"),
    [
        ("rc=2&rp=5xx", [500] * 9, 3),
        ("rc=0&rp=5xx", [500] * 9, 1),
        ("rc=2&rp=4xx", [403] * 9, 3),
        ("rc=2&rp=5xx", [403] * 9, 1),
        ("rc=2&rp=all", [403, 500, 302], 3),
        ("rc=2&rp=rt&rt=100", ["hang"] * 9, 3),
        ("rc=2&rp=ct&rt=100", ["hang"] * 9, 1),
        ("rc=2&rp=5xx,ct,rt", ["drop"] * 9, 1),
        ("rc=2&rp=all", ["drop"] * 9, 3),
    ],
)
def test_the_fragment_rules_which_failures_are_tried_again(
    twilio: Any, fragment: str, answers: list[int | str], tries: int
) -> None:
    twilio.emulator.scenarios.queue(Scenario(final=FinalStatus.FAILED))
    twilio.receiver.plan = list(answers)
    twilio.client.messages.create(
        to="+12025550143",
        from_="+12025550199",
        body="Hi",
        status_callback=f"{twilio.receiver.url}#{fragment}",
    )
    twilio.quiet()

    assert twilio.receiver.statuses == ["failed"] * tries
    attempts = twilio.emulator.callbacks
    assert [attempt.attempt for attempt in attempts] == list(range(1, tries + 1))


def test_a_refused_connection_is_tried_again_once_by_default(twilio: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed_later:
        port = closed_later.getsockname()[1]
    twilio.deliver(status_callback=f"http://127.0.0.1:{port}/status")

    attempts = twilio.emulator.callbacks
    assert [(attempt.status, attempt.attempt) for attempt in attempts[:2]] == [
        ("queued", 1),
        ("queued", 2),
    ]
    assert {attempt.failure for attempt in attempts} == {"no connection"}


@pytest.mark.parametrize(
    "url",
    ["http://example.com/status", "https://10.0.0.1/status", "http://127.0.0.1.example.com/x"],
)
def test_no_other_host_than_loopback_is_called(
    twilio: Any, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    opened: list[object] = []
    twilio.send(status_callback=f"{url}?message_id=m-7")
    monkeypatch.setattr(socket, "create_connection", lambda *args, **kw: opened.append(args))
    twilio.quiet()

    attempts = twilio.emulator.callbacks
    assert [attempt.status for attempt in attempts] == ["queued", "sent", "delivered"]
    assert {attempt.message_id for attempt in attempts} == {"m-7"}
    assert all("not loopback" in (attempt.failure or "") for attempt in attempts)
    assert opened == []


def test_an_account_known_by_api_key_alone_cannot_sign_a_callback(twilio: Any) -> None:
    client = twilio.sdk("SK" + "3" * 32, "key-secret", account_sid="AC" + "4" * 32)
    client.messages.create(
        to="+12025550143", from_="+12025550199", body="Hi", status_callback=twilio.receiver.url
    )
    twilio.quiet()

    failures = {attempt.failure for attempt in twilio.emulator.callbacks}
    assert failures == {"the account's auth token is not known"}
    assert twilio.receiver.received == []


@pytest.mark.parametrize(
    "interfere",
    [
        lambda emulator, sid: emulator.messages.delete(sid),
        lambda emulator, sid: emulator.sender.force(sid, Stage(TwilioStatus.READ), notifies=False),
    ],
    ids=["deleted", "forced"],
)
def test_no_callback_follows_once_a_message_is_gone_or_forced(
    twilio: Any, interfere: Callable[[Emulator, str], object]
) -> None:
    def on_receive(received: Any) -> None:
        if received.status == "sent":
            interfere(twilio.emulator, received.form["MessageSid"])

    twilio.receiver.on_receive = on_receive
    twilio.deliver()

    assert twilio.receiver.statuses == ["queued", "sent"]
