"""Scenarios of the create call: what the caller sees, and whether there is a message."""

import json
import threading
from typing import Any

import pytest
import requests
from twilio.base.exceptions import TwilioRestException

from app.emulator.scenarios import CreateAnswer, FinalStatus, Scenario


def test_a_create_that_times_out_was_accepted_and_calls_back(twilio: Any) -> None:
    twilio.emulator.scenarios.queue(
        Scenario(create=CreateAnswer.TIMEOUT_AFTER_ACCEPTING, hold_seconds=300)
    )
    with pytest.raises(requests.ReadTimeout):
        twilio.sdk(timeout=1.5).messages.create(
            to="+12025550143",
            messaging_service_sid="MG" + "2" * 32,
            body="Hello",
            status_callback=twilio.receiver.url,
        )
    twilio.quiet()

    assert twilio.emulator.messages.created == 1
    assert twilio.receiver.statuses == ["queued", "sent", "delivered"]


def test_a_held_answer_still_comes_when_the_caller_waits(twilio: Any) -> None:
    twilio.emulator.scenarios.queue(
        Scenario(create=CreateAnswer.TIMEOUT_AFTER_ACCEPTING, hold_seconds=0.01)
    )

    assert twilio.send().status == "accepted"


@pytest.mark.parametrize(
    ("answer", "problem", "created"),
    [
        (CreateAnswer.ERROR_500_AFTER_ACCEPTING, TwilioRestException, 1),
        (CreateAnswer.RESET_AFTER_ACCEPTING, requests.ConnectionError, 1),
        (CreateAnswer.NONSENSE_AFTER_ACCEPTING, json.JSONDecodeError, 1),
        (CreateAnswer.DROP_CONNECTION, requests.ConnectionError, 0),
    ],
)
def test_a_create_without_its_answer_leaves_a_message_where_it_was_accepted(
    twilio: Any, answer: CreateAnswer, problem: type[Exception], created: int
) -> None:
    twilio.emulator.scenarios.queue(Scenario(create=answer))
    with pytest.raises(problem) as failed:
        twilio.send()
    twilio.quiet()
    if isinstance(failed.value, TwilioRestException):
        assert (failed.value.status, failed.value.code) == (500, 20500)
    made = twilio.emulator.messages
    assert (made.created, made.attempted) == (created, 1)
    assert twilio.receiver.statuses == ["queued", "sent", "delivered"] * created


def test_throttling_accepts_nothing_and_has_retry_after(twilio: Any) -> None:
    twilio.emulator.scenarios.queue(
        Scenario(create=CreateAnswer.THROTTLE_429, retry_after_seconds=7)
    )
    path = "/2010-04-01/Accounts/AC" + "1" * 32 + "/Messages.json"

    answer = twilio.http("POST", path, data={"To": "+12025550143", "From": "72345", "Body": "Hi"})
    assert (answer.status_code, answer.json()["code"]) == (429, 20429)
    assert answer.headers["Retry-After"] == "7"
    assert twilio.emulator.messages.created == 0


def test_a_rejection_has_the_code_and_status_that_were_asked_for(twilio: Any) -> None:
    twilio.emulator.scenarios.queue(
        Scenario(create=CreateAnswer.REJECT, reject_code=99999, reject_status=422)
    )

    with pytest.raises(TwilioRestException) as refused:
        twilio.send()
    assert (refused.value.status, refused.value.code) == (422, 99999)
    assert twilio.emulator.messages.created == 0


def test_the_queue_goes_before_the_number_and_the_number_before_the_default(
    twilio: Any,
) -> None:
    scenarios = twilio.emulator.scenarios
    scenarios.set_default(Scenario(final=FinalStatus.FAILED, error_code=30001))
    scenarios.for_number("+12025550143", Scenario(final=FinalStatus.UNDELIVERED, error_code=30003))
    scenarios.queue(Scenario(final=FinalStatus.SENT_ONLY))

    messages = [twilio.send(), twilio.send(), twilio.send(to="+12025550144")]
    twilio.quiet()
    fates = [(message.fetch().status, message.fetch().error_code) for message in messages]
    assert fates == [("sent", None), ("undelivered", 30003), ("failed", 30001)]


def test_creates_at_the_same_time_each_make_their_own_message(twilio: Any) -> None:
    threads = [threading.Thread(target=twilio.send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    twilio.quiet()

    assert twilio.emulator.messages.created == 8
    assert sorted(twilio.receiver.statuses) == sorted(["queued", "sent", "delivered"] * 8)
