"""Twilio's words for a status, and the meanings of its codes."""

from app.providers.port import Status
from app.providers.twilio.codes import status_of
from support.each import each

WORDS = {
    "accepted": Status.PENDING,
    "scheduled": Status.PENDING,
    "queued": Status.PENDING,
    "sending": Status.PENDING,
    "receiving": Status.PENDING,
    "received": Status.PENDING,
    "sent": Status.SENT,
    "delivered": Status.DELIVERED,
    "read": Status.DELIVERED,
    "partially_delivered": Status.DELIVERED,
    "undelivered": Status.UNDELIVERED,
    "failed": Status.FAILED,
    "canceled": Status.FAILED,
    "a word of tomorrow": Status.PENDING,
    "": Status.PENDING,
    "DELIVERED": Status.DELIVERED,
}


@each(("word", "expected"), WORDS.items())
def test_each_word_of_twilio_has_one_meaning(word: str, expected: Status) -> None:
    assert status_of(word) is expected
