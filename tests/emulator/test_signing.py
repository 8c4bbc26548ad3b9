"""Signatures, held against Twilio's own validator."""

import pytest
from hypothesis import given, strategies as st
from twilio.request_validator import RequestValidator

from app.emulator.callbacks.webhooks import signature

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def test_the_published_example_has_the_published_signature() -> None:
    params = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675309",
        "Digits": "1234",
        "From": "+14158675309",
        "To": "+18005551212",
    }

    made = signature("12345", "https://mycompany.com/myapp.php?foo=1&bar=2", params)
    assert made == "RSOYDt4T1cUTdK1PDd93/VVr8B8="


@given(params=st.dictionaries(TEXT, TEXT), token=TEXT)
def test_twilios_validator_accepts_every_signature(params: dict[str, str], token: str) -> None:
    url = "http://127.0.0.1:8000/a/b?x=%27&y=1+2"

    assert RequestValidator(token).validate(url, params, signature(token, url, params))


@pytest.mark.parametrize("fragment", ["#", "#rc=5&rp=5xx,ct,rt"])
def test_the_fragment_is_not_signed(fragment: str) -> None:
    url = "http://127.0.0.1:8000/a?b=c"

    assert signature("t", url + fragment, {"A": "1"}) == signature("t", url, {"A": "1"})
