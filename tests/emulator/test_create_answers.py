"""Scenarios of the create call: what the caller sees, and whether there is a message."""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
import requests
from requests import Response
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from app.emulator.scenarios import CreateAnswer, FinalStatus, Scenario
from app.emulator.server import EmulatorServer


def test_a_create_that_times_out_was_accepted_and_calls_back(
    sdk: Callable[..., Client], receiver: Any, server: EmulatorServer, quiet: Callable[[], None]
) -> None:
    server.emulator.scenarios.queue(
        Scenario(create=CreateAnswer.TIMEOUT_AFTER_ACCEPTING, hold_seconds=300)
    )
    with pytest.raises(requests.ReadTimeout):
        sdk(timeout=1.5).messages.create(
            to="+12025550143",
            messaging_service_sid="MG" + "2" * 32,
            body="Hello",
            status_callback=receiver.url,
        )
    quiet()

    assert server.emulator.messages.created == 1
    assert receiver.statuses == ["queued", "sent", "delivered"]


def test_a_held_answer_still_comes_when_the_caller_waits(
    send: Callable[..., Any], server: EmulatorServer
) -> None:
    server.emulator.scenarios.queue(
        Scenario(create=CreateAnswer.TIMEOUT_AFTER_ACCEPTING, hold_seconds=0.01)
    )

    assert send().status == "accepted"


def test_a_500_after_accepting_leaves_a_message(
    send: Callable[..., Any], server: EmulatorServer, quiet: Callable[[], None], receiver: Any
) -> None:
    server.emulator.scenarios.queue(Scenario(create=CreateAnswer.ERROR_500_AFTER_ACCEPTING))

    with pytest.raises(TwilioRestException) as failed:
        send()
    quiet()
    assert (failed.value.status, failed.value.code) == (500, 20500)
    assert server.emulator.messages.created == 1
    assert receiver.statuses[-1] == "delivered"


def test_a_connection_reset_after_accepting_leaves_a_message(
    send: Callable[..., Any], server: EmulatorServer
) -> None:
    server.emulator.scenarios.queue(Scenario(create=CreateAnswer.RESET_AFTER_ACCEPTING))

    with pytest.raises(requests.ConnectionError):
        send()
    assert server.emulator.messages.created == 1


def test_nonsense_after_accepting_is_a_200_that_is_not_json(
    send: Callable[..., Any], server: EmulatorServer
) -> None:
    server.emulator.scenarios.queue(Scenario(create=CreateAnswer.NONSENSE_AFTER_ACCEPTING))

    with pytest.raises(json.JSONDecodeError):
        send()
    assert server.emulator.messages.created == 1


def test_a_dropped_connection_leaves_nothing(
    send: Callable[..., Any], server: EmulatorServer
) -> None:
    server.emulator.scenarios.queue(Scenario(create=CreateAnswer.DROP_CONNECTION))

    with pytest.raises(requests.ConnectionError):
        send()
    assert (server.emulator.messages.created, server.emulator.messages.attempted) == (0, 1)


def test_throttling_accepts_nothing_and_has_retry_after(
    http: Callable[..., Response], server: EmulatorServer
) -> None:
    server.emulator.scenarios.queue(
        Scenario(create=CreateAnswer.THROTTLE_429, retry_after_seconds=7)
    )
    path = "/2010-04-01/Accounts/AC" + "1" * 32 + "/Messages.json"

    answer = http("POST", path, data={"To": "+12025550143", "From": "72345", "Body": "Hi"})
    assert (answer.status_code, answer.json()["code"]) == (429, 20429)
    assert answer.headers["Retry-After"] == "7"
    assert server.emulator.messages.created == 0


def test_a_rejection_has_the_code_and_status_that_were_asked_for(
    send: Callable[..., Any], server: EmulatorServer
) -> None:
    server.emulator.scenarios.queue(
        Scenario(create=CreateAnswer.REJECT, reject_code=99999, reject_status=422)
    )

    with pytest.raises(TwilioRestException) as refused:
        send()
    assert (refused.value.status, refused.value.code) == (422, 99999)
    assert server.emulator.messages.created == 0


def test_the_queue_goes_before_the_number_and_the_number_before_the_default(
    send: Callable[..., Any], server: EmulatorServer, quiet: Callable[[], None]
) -> None:
    scenarios = server.emulator.scenarios
    scenarios.set_default(Scenario(final=FinalStatus.FAILED, error_code=30001))
    scenarios.for_number("+12025550143", Scenario(final=FinalStatus.UNDELIVERED, error_code=30003))
    scenarios.queue(Scenario(final=FinalStatus.SENT_ONLY))

    messages = [send(), send(), send(to="+12025550144")]
    quiet()
    fates = [(message.fetch().status, message.fetch().error_code) for message in messages]
    assert fates == [("sent", None), ("undelivered", 30003), ("failed", 30001)]


def test_creates_at_the_same_time_each_make_their_own_message(
    send: Callable[..., Any], server: EmulatorServer, quiet: Callable[[], None], receiver: Any
) -> None:
    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    quiet()

    assert server.emulator.messages.created == 8
    assert sorted(receiver.statuses) == sorted(["queued", "sent", "delivered"] * 8)
