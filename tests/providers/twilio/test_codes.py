"""Twilio's words for a status, and the meanings of its codes."""

from app.providers.port import Status
from app.providers.twilio.codes import _MEANINGS, ERROR_CODES, status_of
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


@each("code", [code for all_ in _MEANINGS.values() for code in all_])
def test_every_code_that_the_adapter_knows_has_a_meaning(code: int) -> None:
    meaning = ERROR_CODES.meanings.get(code)
    assert meaning
    assert meaning.endswith(".")


def test_an_unknown_code_has_its_page_alone() -> None:
    assert ERROR_CODES.meanings.get(12345) is None
    assert ERROR_CODES.page_about(12345) == "https://www.twilio.com/docs/api/errors/12345"
