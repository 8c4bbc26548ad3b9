"""Lookups through the SDK."""

from typing import Any

import pytest
from twilio.rest import Client


def _look_up(client: Client, number: str, **kwargs: Any) -> Any:
    return client.lookups.v2.phone_numbers(number).fetch(**kwargs)


def test_a_valid_number_is_described(client: Client) -> None:
    found = _look_up(client, "+447911123456")

    assert found.valid
    assert (found.country_code, found.calling_country_code) == ("GG", "44")
    assert (found.phone_number, found.national_format) == ("+447911123456", "07911 123456")
    assert (found.validation_errors, found.line_type_intelligence) == (None, None)


@pytest.mark.parametrize(
    ("number", "problem"),
    [
        ("+1202555014300", "TOO_LONG"),
        ("+1202", "TOO_SHORT"),
        ("+11025550143", "INVALID_BUT_POSSIBLE"),
        ("+9991234567", "INVALID_COUNTRY_CODE"),
        ("banana", "NOT_A_NUMBER"),
    ],
)
def test_an_invalid_number_is_an_answer_and_not_an_error(
    client: Client, number: str, problem: str
) -> None:
    found = _look_up(client, number, fields="line_type_intelligence")

    assert found.valid is False
    assert found.validation_errors == [problem]
    assert (found.country_code, found.line_type_intelligence) == (None, None)


@pytest.mark.parametrize(
    ("number", "kind", "has_carrier"),
    [
        ("+12025550143", "mobile", True),
        ("+5511987654321", "mobile", True),
        ("+442079460000", "landline", True),
        ("+18005550143", "tollFree", False),
        ("+19005550143", "premium", False),
        ("+15005550006", "personal", False),
    ],
)
def test_line_type_is_returned_on_request(
    client: Client, number: str, kind: str, has_carrier: bool
) -> None:
    line = _look_up(client, number, fields="line_type_intelligence").line_type_intelligence

    assert line["type"] == kind
    assert (line["carrier_name"] is not None) is has_carrier
    assert line["error_code"] is None


def test_a_national_number_is_read_in_its_country(client: Client) -> None:
    found = _look_up(client, "2025550143", country_code="US")

    assert (found.valid, found.phone_number) == (True, "+12025550143")
