"""A callback that was signed for another URL is refused, and the log says for which."""

import pytest
from structlog.typing import EventDict

from app.providers.twilio import callbacks
from app.providers.twilio.signature import sign
from support.logs import lines_of
from support.signed_route import signed_app
from support.wire import form_of, post_raw

TOKEN = "0123456789abcdef0123456789abcdef"
PATH = "/v1/webhook/twilio/sms-status"
QUERY = "?message_id=01a2"
FIELDS = {"AccountSid": "AC1", "To": "+12025550123"}
PUBLIC = "https://sms.example.com"
REMEDY = ": set BORDERPOST_PUBLIC_URL"


def _refused(
    signed: str, public_url: str = PUBLIC, target: str = PATH + QUERY, **headers: str
) -> list[EventDict]:
    """Post a callback that must be forbidden; return what the log says of it."""
    signature = sign(TOKEN, signed, {name: [value] for name, value in FIELDS.items()})
    app = signed_app(public_url, PATH, TOKEN)
    with lines_of(callbacks) as lines:
        answer = post_raw(app, target, form_of(FIELDS), signature=signature, **headers)
    assert answer.status_code == 403
    assert {"event": "callback_refused", "why": "signature_wrong", "log_level": "warning"} in lines
    return lines


def _hints(lines: list[EventDict]) -> list[str]:
    return [line["hint"] for line in lines if line["event"] == "callback_signed_for_other_url"]


@pytest.mark.parametrize(
    ("signed_base", "public_url", "headers"),
    [
        ("http://sms.example.com", PUBLIC, {}),
        ("https://sms.example.com", "http://sms.example.com", {}),
        ("https://new.example.com", PUBLIC, {"host": "new.example.com"}),
        ("http://127.0.0.1:8000", PUBLIC, {"host": "127.0.0.1:8000"}),
        ("https://front.example.com", PUBLIC, {"X_Forwarded_Host": "front.example.com, inner"}),
        ("https://sms.example.com/sms", PUBLIC, {"X_Forwarded_Prefix": "/sms/"}),
        ("https://sms.example.com", PUBLIC + "/sms", {}),
    ],
)
def test_the_hint_names_the_public_url_that_would_have_been_right(
    signed_base: str, public_url: str, headers: dict[str, str]
) -> None:
    lines = _refused(signed_base + PATH + QUERY, public_url, **headers)
    assert _hints(lines) == [f"would have matched {signed_base}{PATH}{REMEDY}"]


def test_a_trailing_slash_too_many_or_too_few_is_named() -> None:
    lines = _refused(PUBLIC + PATH + "/" + QUERY)
    assert _hints(lines) == [f"would have matched {PUBLIC}{PATH}/{REMEDY}"]
    lines = _refused(PUBLIC + PATH + QUERY, target=PATH + "/" + QUERY)
    assert _hints(lines) == [f"would have matched {PUBLIC}{PATH}{REMEDY}"]


def test_a_forgery_gets_no_hint() -> None:
    lines = _refused("https://evil.example" + PATH)
    assert [line["event"] for line in lines if line["log_level"] == "warning"] == [
        "callback_refused"
    ]


def test_a_shared_key_is_named_as_the_reason() -> None:
    settings = "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256"
    lines = _refused(PUBLIC + "/x", X_Twilio_Webhooks_Signature_Settings=settings)
    (line,) = [line for line in lines if line["event"] == "callback_signed_with_shared_key"]
    assert line["remedy"] == "sign with the auth token"
    assert "webhooks_sharedkey_1" not in repr(lines)


def test_the_log_holds_no_number_no_token_no_signature_and_no_query() -> None:
    signed = "http://sms.example.com" + PATH + QUERY
    signature = sign(TOKEN, signed, {name: [value] for name, value in FIELDS.items()})
    lines = repr(_refused(signed))
    for secret in ("2025550123", TOKEN, signature, "01a2"):
        assert secret not in lines


def test_a_missing_signature_and_an_unknown_account_are_distinguished() -> None:
    for tokens, signature, why in (
        ((TOKEN,), None, "signature_missing"),
        ((TOKEN,), "", "signature_missing"),
        ((), "x" * 28, "unknown_account"),
    ):
        app = signed_app(PUBLIC, PATH, *tokens)
        with lines_of(callbacks) as lines:
            answer = post_raw(app, PATH, form_of(FIELDS), signature=signature)
        assert answer.status_code == 403
        assert [line["why"] for line in lines if line["event"] == "callback_refused"] == [why]


def test_many_wrong_signatures_of_an_address_are_refused_without_a_diagnosis() -> None:
    """A right one is served all the same. Break: diagnose each."""
    app = signed_app(PUBLIC, PATH, TOKEN)
    parameters = {name: [value] for name, value in FIELDS.items()}
    wrong = sign(TOKEN, "http://sms.example.com" + PATH, parameters)
    right = sign(TOKEN, PUBLIC + PATH, parameters)
    with lines_of(callbacks) as lines:
        answers = [post_raw(app, PATH, form_of(FIELDS), signature=wrong) for _ in range(60)]
        served = post_raw(app, PATH, form_of(FIELDS), signature=right)
    assert {answer.status_code for answer in answers} == {403}
    assert served.status_code == 204
    assert len(_hints(lines)) == 20
