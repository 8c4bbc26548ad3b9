"""What is left of a phone number where the whole of it must not appear."""

import pytest
from hypothesis import given, strategies as st

from app.kernel.masking import mask_every_number_in, mask_number, mask_numbers_in


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        ("+12025550123", "+12*******23"),
        ("+29051234", "+29****34"),
        ("+12345", "+12*45"),
        ("+1234", "*****"),
        ("", ""),
    ],
)
def test_the_first_three_and_the_last_two_characters_are_kept(number: str, masked: str) -> None:
    assert mask_number(number) == masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("to +12025550123.", "to +12*******23."),
        ("To=%2B12025550123&x", "To=%2B*********23&x"),
        ("To=%2b12025550123", "To=%2b*********23"),
        ("'+12025550123' and '+5511961234567'", "'+12*******23' and '+55*********67'"),
        ("whatsapp:+12025550123", "whatsapp:+12*******23"),
        ("+12025550123+5511961234567", "+12*******23+55*********67"),
        ("1 + 1 = 2, +5", "1 + 1 = 2, +5"),
        ("no number", "no number"),
    ],
)
def test_numbers_within_a_text_are_masked(text: str, masked: str) -> None:
    assert mask_numbers_in(text) == masked


@given(
    st.text(max_size=20),
    st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True),
    st.text(alphabet=st.characters(exclude_categories=["Nd"]), max_size=20),
)
def test_every_number_is_masked_in_any_surrounding_text(
    before: str, number: str, after: str
) -> None:
    assert number not in mask_numbers_in(before + number + after)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("from +12025550123", "from +12*******23"),
        ("2025550123 asked", "202*****23 asked"),
        ("call (202) 555-0123, please", "call (20*********23, please"),
        ("07400 123456", "074*******56"),
        ("+44 7400 123456", "+44 *********56"),
        ("0049.151/12345678", "004************78"),
        ("until 2026-12-31, ticket 123456", "until 2026-12-31, ticket 123456"),
    ],
)
def test_numbers_in_any_grouping_are_masked_in_a_persons_text(text: str, masked: str) -> None:
    """Fails where `mask_every_number_in` masks E.164 numbers alone."""
    assert mask_every_number_in(text) == masked
