"""The plain words for codes: none that people can meet is left out."""

import inspect

from app.destinations.refusals import REFUSAL_CODES
from app.kernel import errors
from app.messages import api
from app.messages.meanings import refusal_meaning
from support.each import each

SEND = next(one for one in api.routes.endpoints if (one.method, one.path) == ("POST", "/v1/sms"))
PUBLIC = {name for name, one in inspect.getmembers(errors, inspect.isclass)}


@each("error", SEND.errors)
def test_every_refusal_of_a_send_has_a_meaning(error: type[errors.PublicError]) -> None:
    assert refusal_meaning(error.__name__)


def test_the_codes_that_a_list_can_be_searched_by_are_public_ones() -> None:
    assert set(REFUSAL_CODES) <= PUBLIC
    assert refusal_meaning("NotFound") is None
