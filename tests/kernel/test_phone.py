"""The form of E.164, and that no text whatever breaks the resolving of numbers."""

from hypothesis import given, settings, strategies as st

from app.kernel.countries import COUNTRIES
from app.kernel.phone import NumberKind, is_e164, resolve
from support.each import each


@each("text", ["+12", "+12025550123", "+123456789012345", "+990000000000000"])
def test_has_the_form_of_e164(text: str) -> None:
    assert is_e164(text)


@each(
    "text",
    [
        *("", "+", "+1", "12025550123", "0012025550123", "+02025550123", "+1 202 555 0123"),
        *("+1-202-555-0123", "+1234567890123456", "++12025550123", "+12025550123\n"),
        *(" +12025550123", "+12025550123;ext=1", "tel:+12025550123", "+1202555012x"),
        "\uff0b12025550123",
        "+\u0661\u0662\u0660\u0662\u0665\u0665\u0665\u0660\u0661\u0662\u0663",
        "+1202555\x000123",
    ],
)
def test_has_not_the_form_of_e164(text: str) -> None:
    assert not is_e164(text)


@settings(max_examples=300)
@given(st.one_of(st.from_regex(r"\+[1-9][0-9]{1,14}", fullmatch=True), st.text(max_size=20)))
def test_every_text_is_resolved_without_an_error(text: str) -> None:
    found = resolve(text)
    assert found.number == text
    assert found.country is None or found.country in COUNTRIES
    if found.kind is NumberKind.UNKNOWN:
        assert not found.receives_sms
