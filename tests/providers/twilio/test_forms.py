"""Forms are read and written as by `urllib.parse`."""

from urllib.parse import parse_qs, urlencode

from hypothesis import example, given, strategies as st

from app.providers.twilio.callbacks import read_form
from app.providers.twilio.transport import form_body

_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.text("ab=&+%4é;\x00 ", max_size=30))
@example("a=1&a=2&b=&c&=d&&%2B+=%F0%9F%8E%89%ff")
def test_a_form_is_read_as_by_the_library(text: str) -> None:
    """Break: decode the value alone."""
    assert read_form(text) == parse_qs(text, keep_blank_values=True)


@given(st.lists(st.tuples(_TEXTS, _TEXTS), max_size=5))
@example([("StatusCallback", "https://a.example/é?b=1&c=~-._ +%")])
def test_a_form_is_written_as_by_the_library(pairs: list[tuple[str, str]]) -> None:
    """Break: encode as latin-1."""
    assert form_body(pairs) == urlencode(pairs)
