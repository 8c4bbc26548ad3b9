"""The signature rule beside the one of Twilio's SDK."""

from hypothesis import given, strategies as st
from twilio.request_validator import RequestValidator
from werkzeug.datastructures import MultiDict

from app.providers.twilio.signature import is_signed_by, sign
from support.each import each

TOKEN = "12345"
URL = "https://sms.example.com/v1/webhook/twilio/sms-status?message_id=1"
PARAMETERS = {"AccountSid": ["AC1"], "Body": ["+1 é"]}
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
parameters = st.dictionaries(texts, st.lists(texts, min_size=1, max_size=4), max_size=6)


@given(url=texts, form=parameters)
def test_our_signature_is_the_one_of_the_sdk(url: str, form: dict[str, list[str]]) -> None:
    expected = RequestValidator(TOKEN).compute_signature(url, MultiDict(form))
    assert sign(TOKEN, url, form) == expected


@given(form=parameters, name=texts, value=texts)
def test_one_more_parameter_breaks_the_signature(
    form: dict[str, list[str]], name: str, value: str
) -> None:
    signature = sign(TOKEN, URL, form)
    assert is_signed_by([TOKEN], URL, form, signature)
    if name + value and value not in form.get(name, []):
        more = form | {name: [*form.get(name, []), value]}
        # Names and values are signed without a mark between them: only another text is seen.
        if sign(TOKEN, URL, more) != signature:
            assert not is_signed_by([TOKEN], URL, more, signature)


@each(
    ("configured", "signed"),
    [
        ("https://a.example/x", "https://a.example/x"),
        ("https://a.example/x", "https://a.example:443/x"),
        ("http://a.example/x", "http://a.example:80/x"),
        ("https://a.example:8443/x?y", "https://a.example/x?y"),
        ("https://a.example:443/x?", "https://a.example/x?"),
        ("https://[::1]:8443/x", "https://[::1]/x"),
        ("https://[::1]/x", "https://[::1]:443/x"),
        ("HTTPS://A.example/x", "HTTPS://A.example:443/x"),
    ],
)
def test_a_url_counts_with_and_without_its_port(configured: str, signed: str) -> None:
    assert is_signed_by([TOKEN], configured, PARAMETERS, sign(TOKEN, signed, PARAMETERS))


@each(
    "signed",
    [
        *("http://a.example/x", "https://a.example:80/x", "https://a.example:8443/x"),
        *("https://A.example/x", "https://a.example/x/", "https://a.example//x"),
        *("https://a.example/x?", "https://a.example/X", "https://b.example/x", ""),
    ],
)
def test_another_url_does_not_count(signed: str) -> None:
    signature = sign(TOKEN, signed, PARAMETERS)
    assert not is_signed_by([TOKEN], "https://a.example/x", PARAMETERS, signature)


def test_any_of_several_tokens_is_valid_and_without_tokens_none_is() -> None:
    signature = sign("next", URL, PARAMETERS)
    assert is_signed_by(["current", "next"], URL, PARAMETERS, signature)
    assert not is_signed_by(["current"], URL, PARAMETERS, signature)
    assert not is_signed_by([], URL, PARAMETERS, signature)


@each("signature", ["", "=", "a" * 5000, "é", "\udce9", sign(TOKEN, URL, {}), "12345"])
def test_a_text_that_is_no_signature_is_refused_and_never_raises(signature: str) -> None:
    assert not is_signed_by([TOKEN], URL, PARAMETERS, signature)


@each("url", ["https://a.example:99999/x", "https://[::1/x", "no scheme", "https://", "://"])
def test_an_unparsable_public_url_is_used_unchanged(url: str) -> None:
    assert is_signed_by([TOKEN], url, PARAMETERS, sign(TOKEN, url, PARAMETERS))
