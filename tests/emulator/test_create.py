"""Creating and reading messages with Twilio's unmodified SDK."""

import re
from typing import Any

import pytest
from twilio.base.exceptions import TwilioRestException

from app.emulator.scenarios import CallbackMode, Scenario

ACCOUNT = "AC" + "1" * 32
SERVICE = "MG" + "2" * 32
FROM = "+12025550199"


def test_a_service_message_starts_accepted_without_sender_and_segments(twilio: Any) -> None:
    message = twilio.send()

    assert re.fullmatch("SM[0-9a-f]{32}", message.sid)
    assert (message.status, message.from_, message.num_segments) == ("accepted", None, "0")
    assert (message.to, message.body, message.direction) == (
        "+12025550143",
        "Hello",
        "outbound-api",
    )
    assert (message.account_sid, message.messaging_service_sid) == (ACCOUNT, SERVICE)
    assert (message.date_sent, message.error_code, message.price) == (None, None, None)


def test_a_message_with_a_sender_starts_queued_and_counted(twilio: Any) -> None:
    message = twilio.client.messages.create(to="+12025550143", from_=FROM, body="x" * 161)

    assert (message.status, message.from_, message.num_segments) == ("queued", FROM, "2")
    assert message.messaging_service_sid is None


def test_a_fetched_message_shows_where_its_life_has_got_to(twilio: Any, clock: Any) -> None:
    message = twilio.deliver(body="ж" * 71)

    fetched = message.fetch()
    assert (fetched.status, fetched.num_segments) == ("delivered", "2")
    assert re.fullmatch(r"\+120255501\d\d", fetched.from_)
    assert fetched.date_sent == clock.at


def test_sender_given_with_a_service_is_kept(twilio: Any) -> None:
    message = twilio.deliver(from_=FROM)

    assert (message.status, message.from_) == ("accepted", FROM)
    assert message.fetch().from_ == FROM


def test_a_message_without_a_callback_lives_its_life_all_the_same(twilio: Any) -> None:
    message = twilio.client.messages.create(
        to="+12025550143", messaging_service_sid=SERVICE, body="Hello"
    )
    twilio.quiet()

    assert message.fetch().status == "delivered"
    assert twilio.emulator.callbacks == []


def test_an_empty_body_redacts_a_finished_message(twilio: Any) -> None:
    message = twilio.deliver()

    assert message.update(body="").body == ""
    assert message.fetch().body == ""


def test_a_body_cannot_be_rewritten_and_nothing_can_be_canceled(twilio: Any) -> None:
    message = twilio.deliver()

    with pytest.raises(TwilioRestException) as rewritten:
        message.update(body="other")
    with pytest.raises(TwilioRestException) as canceled:
        message.update(status="canceled")
    assert (rewritten.value.code, canceled.value.code) == (20001, 30409)
    assert message.fetch().body == "Hello"


def test_a_deleted_message_is_gone(twilio: Any) -> None:
    message = twilio.deliver()

    assert message.delete()
    with pytest.raises(TwilioRestException) as gone:
        message.fetch()
    assert (gone.value.status, gone.value.code) == (404, 20404)


def test_unfinished_message_is_neither_deleted_nor_redacted(twilio: Any) -> None:
    twilio.emulator.scenarios.set_default(Scenario(pace_seconds=300))
    message = twilio.send()

    for act in (message.delete, lambda: message.update(body="")):
        with pytest.raises(TwilioRestException) as refused:
            act()
        assert (refused.value.status, refused.value.code) == (409, 20009)


def test_the_number_of_creates_and_of_attempts_is_counted(twilio: Any) -> None:
    twilio.send()
    with pytest.raises(TwilioRestException):
        twilio.send(to="+15005550001")

    assert (twilio.emulator.messages.created, twilio.emulator.messages.attempted) == (1, 2)


def test_the_same_service_always_chooses_the_same_sender(twilio: Any) -> None:
    server_side = twilio.client.messaging.v1.services(SERVICE).phone_numbers.list()
    message = twilio.deliver()

    assert [number.phone_number for number in server_side] == [message.fetch().from_]


def test_callbacks_may_come_before_the_answer(twilio: Any) -> None:
    twilio.emulator.scenarios.queue(Scenario(callbacks=CallbackMode.BEFORE_ANSWER))

    message = twilio.send()

    assert twilio.receiver.statuses == ["queued", "sent", "delivered"]
    assert message.status == "accepted"
    assert message.fetch().status == "delivered"
