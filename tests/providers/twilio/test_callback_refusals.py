"""What is no callback of Twilio's for us: 403, 413 or 415, never a 500 and never a change."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote_from_bytes

import pytest

from app.messages.tables import message_events, messages
from app.providers.twilio.signature import sign
from support.factories import (
    ACCOUNT,
    AUTH_TOKEN,
    OTHER_ACCOUNT,
    PUBLIC_URL,
    Factory,
    Gateway,
    Tenant,
)
from support.wire import FORM, form_of, post_raw

pytestmark = pytest.mark.one_engine

PATHS = ["/v1/webhook/twilio/sms-status", "/v1/webhook/twilio/sms-inbound"]
PATH = PATHS[0]
FIELDS = {"AccountSid": ACCOUNT, "MessageSid": "SM" + "1" * 32, "MessageStatus": "delivered"}


def _post(gateway: Gateway, body: Any, signature: str | None = None, **named: Any) -> Any:
    return post_raw(gateway.client.application, PATH, body, signature=signature, **named)


def _signed(fields: dict[str, str], path: str = PATH, token: str = AUTH_TOKEN) -> str:
    return sign(token, PUBLIC_URL + path, {name: [value] for name, value in fields.items()})


@pytest.mark.parametrize("path", PATHS)
def test_a_missing_or_wrong_signature_is_forbidden(
    gateway: Gateway, tenant: Tenant, path: str
) -> None:
    app = gateway.client.application
    good = _signed(FIELDS, path)
    assert post_raw(app, path, form_of(FIELDS), signature=good).status_code in {200, 204}
    for signature in (None, "", good[:-1], good + "=", good.lower(), "é" * 28, "a" * 10_000):
        answer = post_raw(app, path, form_of(FIELDS), signature=signature)
        assert answer.status_code == 403
        assert answer.json is not None
        assert answer.json["code"] == "Forbidden"


def test_an_unknown_account_is_forbidden(gateway: Gateway, tenant: Tenant) -> None:
    odd = ["", "AC", "AC\x00", "x" * 5000, "é", "\U0001f600", "AC" + "D" * 32]
    for account in [OTHER_ACCOUNT, *odd]:
        fields = FIELDS | {"AccountSid": account}
        answer = _post(gateway, form_of(fields), _signed(fields))
        assert (account, answer.status_code) == (account, 403)
    fields = {name: value for name, value in FIELDS.items() if name != "AccountSid"}
    assert _post(gateway, form_of(fields), _signed(fields)).status_code == 403


def test_the_token_of_another_account_does_not_sign_for_this_one(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    factory.tenant(tenant.organization_id, "other", account_sid=OTHER_ACCOUNT, auth_token="b" * 32)
    assert _post(gateway, form_of(FIELDS), _signed(FIELDS, token="b" * 32)).status_code == 403


def test_of_two_accounts_the_first_ones_token_is_checked(gateway: Gateway, tenant: Tenant) -> None:
    """Whoever signs for one account cannot slip in another one's name."""
    form = [("AccountSid", ACCOUNT), *form_of(FIELDS)[1:], ("AccountSid", OTHER_ACCOUNT)]
    parameters = {"AccountSid": [ACCOUNT, OTHER_ACCOUNT]} | {
        name: [value] for name, value in form_of(FIELDS)[1:]
    }
    good = sign(AUTH_TOKEN, PUBLIC_URL + PATH, parameters)
    assert _post(gateway, form, good).status_code == 204
    swapped = [form[-1], *form[1:-1], form[0]]
    assert _post(gateway, swapped, good).status_code == 403


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "multipart/form-data; boundary=x", "text/plain", "", "application/xml"],
)
def test_only_a_form_is_taken(gateway: Gateway, tenant: Tenant, content_type: str) -> None:
    for path in PATHS:
        answer = post_raw(
            gateway.client.application,
            path,
            form_of(FIELDS),
            signature=_signed(FIELDS, path),
            content_type=content_type,
        )
        assert answer.status_code == 415
        assert answer.json is not None
        assert answer.json["code"] == "UnsupportedMediaType"


def test_a_charset_in_the_content_type_is_accepted(gateway: Gateway, tenant: Tenant) -> None:
    named = {"content_type": FORM + "; charset=UTF-8"}
    assert _post(gateway, form_of(FIELDS), _signed(FIELDS), **named).status_code == 204


def test_a_body_above_64_kib_is_too_large(gateway: Gateway, tenant: Tenant) -> None:
    room = 64 * 1024 - len("AccountSid=&Body=") - len(ACCOUNT)
    for size, expected in ((room, 204), (room + 1, 413), (5_000_000, 413)):
        fields = {"AccountSid": ACCOUNT, "Body": "a" * size}
        answer = _post(gateway, form_of(fields), _signed(fields))
        assert answer.status_code == expected


BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "raw bytes that are no UTF-8": lambda form: form + b"&Body=\xff\xfe",
    "escaped bytes that are no UTF-8": lambda form: form + b"&Body=%FF%FE",
    "half of a surrogate pair": lambda form: form + b"&Body=%ED%A0%80",
    "a broken escape": lambda form: form + b"&Body=%zz%",
    "no form at all": lambda _: b"\x00\x01\x02",
    "nothing": lambda _: b"",
    "only separators": lambda _: b"&&&===&;",
    "very many parameters": lambda form: form + b"&a=1" * 15_000,
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_a_form_that_cannot_be_read_is_forbidden(
    gateway: Gateway, tenant: Tenant, broken: Callable[[bytes], bytes]
) -> None:
    form = "&".join(f"{n}={quote_from_bytes(v.encode())}" for n, v in FIELDS.items()).encode()
    assert _post(gateway, form, _signed(FIELDS)).status_code == 204
    assert _post(gateway, broken(form), _signed(FIELDS)).status_code == 403


def test_a_refused_callback_changes_nothing(
    gateway: Gateway, tenant: Tenant, factory: Factory
) -> None:
    sent = gateway.send(tenant).json
    before = factory.rows(messages)
    target = f"{PATH}?message_id={sent['id']}"
    app = gateway.client.application
    for token in ("wrong" * 6, ""):
        fields = FIELDS | {"MessageSid": sent["message_sid"]}
        signature = sign(token, PUBLIC_URL + target, {n: [v] for n, v in fields.items()})
        assert post_raw(app, target, form_of(fields), signature=signature).status_code == 403
    assert factory.rows(messages) == before
    assert factory.rows(message_events) == []


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_another_method_is_not_allowed(gateway: Gateway, tenant: Tenant, method: str) -> None:
    answer = gateway.client.open(PATH, method=method)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
