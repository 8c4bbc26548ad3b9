"""Creating and reading messages with Twilio's unmodified SDK."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from app.emulator.scenarios import CallbackMode, Scenario
from app.emulator.server import EmulatorServer

ACCOUNT = "AC" + "1" * 32
SERVICE = "MG" + "2" * 32
FROM = "+12025550199"


def test_a_service_message_starts_accepted_without_sender_and_segments(
    send: Callable[..., Any],
) -> None:
    message = send()

    assert re.fullmatch("SM[0-9a-f]{32}", message.sid)
    assert (message.status, message.from_, message.num_segments) == ("accepted", None, "0")
    assert (message.to, message.body, message.direction) == (
        "+12025550143",
        "Hello",
        "outbound-api",
    )
    assert (message.account_sid, message.messaging_service_sid) == (ACCOUNT, SERVICE)
    assert (message.date_sent, message.error_code, message.price) == (None, None, None)


def test_a_message_with_a_sender_starts_queued_and_counted(client: Client) -> None:
    message = client.messages.create(to="+12025550143", from_=FROM, body="x" * 161)

    assert (message.status, message.from_, message.num_segments) == ("queued", FROM, "2")
    assert message.messaging_service_sid is None


def test_a_fetched_message_shows_where_its_life_has_got_to(
    send: Callable[..., Any], quiet: Callable[[], None], clock: Any
) -> None:
    message = send(body="ж" * 71)
    quiet()

    fetched = message.fetch()
    assert (fetched.status, fetched.num_segments) == ("delivered", "2")
    assert re.fullmatch(r"\+120255501\d\d", fetched.from_)
    assert fetched.date_sent == clock.at


def test_sender_given_with_a_service_is_kept(
    send: Callable[..., Any], quiet: Callable[[], None]
) -> None:
    message = send(from_=FROM)
    quiet()

    assert (message.status, message.from_) == ("accepted", FROM)
    assert message.fetch().from_ == FROM


def test_a_message_without_a_callback_lives_its_life_all_the_same(
    client: Client, quiet: Callable[[], None], server: EmulatorServer
) -> None:
    message = client.messages.create(to="+12025550143", messaging_service_sid=SERVICE, body="Hello")
    quiet()

    assert message.fetch().status == "delivered"
    assert server.emulator.callbacks == []


def test_an_empty_body_redacts_a_finished_message(
    send: Callable[..., Any], quiet: Callable[[], None]
) -> None:
    message = send()
    quiet()

    assert message.update(body="").body == ""
    assert message.fetch().body == ""


def test_a_body_cannot_be_rewritten_and_nothing_can_be_canceled(
    send: Callable[..., Any], quiet: Callable[[], None]
) -> None:
    message = send()
    quiet()

    with pytest.raises(TwilioRestException) as rewritten:
        message.update(body="other")
    with pytest.raises(TwilioRestException) as canceled:
        message.update(status="canceled")
    assert (rewritten.value.code, canceled.value.code) == (20001, 30409)
    assert message.fetch().body == "Hello"


def test_a_deleted_message_is_gone(send: Callable[..., Any], quiet: Callable[[], None]) -> None:
    message = send()
    quiet()

    assert message.delete()
    with pytest.raises(TwilioRestException) as gone:
        message.fetch()
    assert (gone.value.status, gone.value.code) == (404, 20404)


def test_unfinished_message_is_neither_deleted_nor_redacted(
    send: Callable[..., Any], server: EmulatorServer
) -> None:
    server.emulator.scenarios.set_default(Scenario(pace_seconds=300))
    message = send()

    for act in (message.delete, lambda: message.update(body="")):
        with pytest.raises(TwilioRestException) as refused:
            act()
        assert (refused.value.status, refused.value.code) == (409, 20009)


def test_the_number_of_creates_and_of_attempts_is_counted(
    send: Callable[..., Any], server: EmulatorServer
) -> None:
    send()
    with pytest.raises(TwilioRestException):
        send(to="+15005550001")

    assert (server.emulator.messages.created, server.emulator.messages.attempted) == (1, 2)


def test_the_same_service_always_chooses_the_same_sender(
    send: Callable[..., Any], quiet: Callable[[], None], client: Client
) -> None:
    server_side = client.messaging.v1.services(SERVICE).phone_numbers.list()
    message = send()
    quiet()

    assert [number.phone_number for number in server_side] == [message.fetch().from_]


def test_callbacks_may_come_before_the_answer(
    send: Callable[..., Any], server: EmulatorServer, receiver: Any
) -> None:
    server.emulator.scenarios.queue(Scenario(callbacks=CallbackMode.BEFORE_ANSWER))

    message = send()

    assert receiver.statuses == ["queued", "sent", "delivered"]
    assert message.status == "accepted"
    assert message.fetch().status == "delivered"
