"""The plain words for codes: none that people can meet is left out."""

import inspect

from app.kernel import errors
from app.messages import api
from app.messages.meanings import LISTED_CODES, code_meaning, code_page, refusal_meaning
from app.providers.twilio import codes
from support.each import each

SEND = next(one for one in api.routes.endpoints if (one.method, one.path) == ("POST", "/v1/sms"))
PUBLIC = {name for name, one in inspect.getmembers(errors, inspect.isclass)}


@each("code", [code for all_ in codes._MEANINGS.values() for code in all_])
def test_every_code_that_the_adapter_knows_has_a_meaning(code: int) -> None:
    meaning = code_meaning(code)
    assert meaning
    assert meaning.endswith(".")


def test_an_unknown_code_has_its_page_alone() -> None:
    assert code_meaning(12345) is None
    assert code_page(12345) == "https://www.twilio.com/docs/api/errors/12345"


@each("error", SEND.errors)
def test_every_refusal_of_a_send_has_a_meaning(error: type[errors.PublicError]) -> None:
    assert refusal_meaning(error.__name__)


def test_the_codes_that_a_list_can_be_searched_by_are_public_ones() -> None:
    assert set(LISTED_CODES) <= PUBLIC
    assert refusal_meaning("NotFound") is None
