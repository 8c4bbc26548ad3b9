"""Times, whole numbers, ids and texts: each has one form, in the API, the console and commands."""

from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest

from app.access.principal import Role
from app.kernel.clock import parse_rfc3339, shifted
from app.kernel.ids import first_id_at
from app.kernel.texts import has_visible_character
from app.kernel.whole_numbers import read_whole_number
from support.console import signed_in
from support.factories import US_NUMBER
from support.posting import post
from support.served import Served

EXTREME = [
    *("0001-01-01T00:00:00Z", "1969-12-31T23:59:59.999Z", "1970-01-01T00:00:00Z"),
    *("9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999999999Z", "4321-01-01T00:00:00+23:59"),
]
NOT_NUMBERS = [
    *("1_0", "\u0661\u0660", "\uff11\uff10", "+10", " 10", "10 ", "1e1", "0x10", "10.0"),
    "\u00b2",
]
BLANK = [
    *(" ", "\t\r\n", "\u00a0\u3000", "\u200b\u200d\ufeff", "\x01\x1b", "\u2028", "\u00ad"),
    *("\u115f\u1160", "\u3164", "\uffa0", "\u2800", "\u180e\u180b", "\ufe0f", "\U000e0020"),
    *("\u202e\u2066", "\u034f", "\u17b4", "\U0001d159", " \u3164\u2800\u200b "),
]
VISIBLE = ["a", ".", "\u0661", "\U0001f600", "\u00e9", " \u3164x", "\u0301", "\ue000", "\U0001fae8"]


def get(served: Served, path: str) -> Any:
    return served.gateway.get(path, key=served.tenant.keys[Role.OWNER])


def test_every_time_is_a_valid_filter(served: Served) -> None:
    """Breaks when ids are not clamped: leave `min` and `max` out of `first_id_at`."""
    served.gateway.send(served.tenant)
    for at in EXTREME:
        for name in ("created_after", "created_before"):
            found = get(served, f"/v1/sms?{name}={quote(at)}")
            assert found.status_code == 200, (name, at, found.text)
            is_all = (at < "2000") == (name == "created_after")
            assert bool(found.get_json()["items"]) == is_all, (name, at)
    console = signed_in(served.gateway, served.tenant.keys[Role.OWNER])
    for page in ("messages", "refusals"):
        for name in ("since", "until"):
            for day in ("0001-01-01", "1970-01-01", "9999-12-31"):
                assert console.get(f"/console/{page}?{name}={day}").status_code == 200, (page, day)


def test_ids_and_times_beyond_the_first_and_last_are_the_first_and_last() -> None:
    first, last = parse_rfc3339(EXTREME[0]), parse_rfc3339(EXTREME[3])
    assert first_id_at(first) == first_id_at(parse_rfc3339("1970-01-01T00:00:00Z"))
    assert (
        first_id_at(first) < first_id_at(parse_rfc3339("2026-01-31T12:00:00Z")) < first_id_at(last)
    )
    day = parse_rfc3339("2026-01-02T00:00:00Z") - parse_rfc3339("2026-01-01T00:00:00Z")
    assert shifted(first, -day) == first
    assert shifted(last, day).year == 9999
    assert shifted(last, -day) == last - day


def test_a_whole_number_is_ascii_digits(served: Served) -> None:
    """Breaks when `int` or `isdecimal` reads the query: make `limit` a `fields.Integer`."""
    for text in [*NOT_NUMBERS, "", "9" * 5000]:
        assert read_whole_number(text) is None, text
        for path in ("/v1/sms", "/v1/audit-events", "/v1/webhook-endpoints"):
            found = get(served, f"{path}?limit={quote(text)}")
            assert (found.status_code, list(found.get_json()["details"])) == (422, ["$.limit"]), (
                text
            )
    restore = f"/workspaces/{served.tenant.workspace_id}/destination-management/capability/sms"
    for text in NOT_NUMBERS:
        answer = served.gateway.post(
            f"{restore}/history/{quote(text)}/restore", key=served.tenant.keys[Role.OWNER]
        )
        assert answer.status_code == 400, text


def test_an_id_has_one_form_everywhere(served: Served) -> None:
    """Breaks when Python's `UUID` reads a field: make `use_case_id` a `fields.UUID`."""
    own, key = served.tenant.use_case_id, served.tenant.keys[Role.OWNER]
    message = served.gateway.send(served.tenant).get_json()["id"]
    forms = {
        str(own): True,
        str(own).upper(): True,
        own.hex: False,
        f"{{{own}}}": False,
        f"urn:uuid:{own}": False,
        f" {own}": False,
        str(own).replace("-", "_"): False,
        str(own).replace("-", "", 1): False,
    }
    for text, is_right in forms.items():
        body = {"use_case_id": text, "to_phone_number": US_NUMBER, "message": "a"}
        status = served.gateway.post("/v1/sms", body, key=key).status_code
        assert status == (201 if is_right else 422), text
        status = get(served, f"/v1/sms?use_case_id={quote(text)}").status_code
        assert status == (200 if is_right else 422), text
        wrong = text.replace(str(own), message).replace(own.hex, UUID(message).hex)
        status = get(served, f"/v1/sms/{quote(wrong)}").status_code
        assert status in ({200, 404} if is_right else {400}), text
    token = get(served, "/v1/sms?limit=1").get_json()["next_page_token"]
    for text in (f"{token}==", f"{token[:5]}!{token[5:]}", f" {token}", str(own), own.hex):
        assert get(served, f"/v1/sms?page_token={quote(text)}").status_code == 422, text


def test_a_text_without_a_visible_character_is_no_message(served: Served) -> None:
    """Breaks when spaces alone are stripped: let `has_visible_character` return `text.strip()`."""
    body = {"use_case_id": str(served.tenant.use_case_id), "to_phone_number": US_NUMBER}
    key = served.tenant.keys[Role.OWNER]
    for text in BLANK:
        assert not has_visible_character(text), ascii(text)
        answer = served.gateway.post("/v1/sms", body | {"message": text}, key=key)
        assert answer.status_code == 422, ascii(text)
        assert list(answer.get_json()["details"]) == ["$.message"], ascii(text)
    for text in VISIBLE:
        assert has_visible_character(text), ascii(text)
    assert served.gateway.post("/v1/sms", body | {"message": "\u0661"}, key=key).status_code == 201


@pytest.mark.parametrize("character", ["\\u0000", "\\ud800"])
def test_unstorable_text_is_refused_at_its_field(served: Served, character: str) -> None:
    """Breaks when only some fields look for it: leave `_unstorable` out of `load`."""
    text = f'"a{character}"'
    for path, body, place in (
        ("/v1/use-cases", f'{{"name": {text}}}', "$.name"),
        (
            "/v1/webhook-endpoints",
            f'{{"url": "https://a.example", "events": [{text}]}}',
            "$.events[0]",
        ),
        ("/v1/workspaces", f'{{"name": "a", "home_country": {text}}}', "$.home_country"),
        ("/v1/access-keys", f'{{"name": "a", "role": {text}}}', "$.role"),
    ):
        answer = post(served, path, body.encode())
        assert answer.status_code in {403, 422}, (path, answer.text)
        if answer.status_code == 422:
            assert place in answer.get_json()["details"], (path, answer.text)


@pytest.mark.one_engine
def test_a_boolean_is_true_or_false(served: Served) -> None:
    """Break: take `fields.Boolean(truthy={True}, falsy={False})`, which also takes 1 and 0."""
    tenant = served.tenant
    of_workspace = f"/workspaces/{tenant.workspace_id}/destination-management/capability/sms"
    for method, path, name in (
        ("PATCH", f"/v1/use-cases/{tenant.use_case_id}", "active"),
        ("PUT", f"{of_workspace}/inheritance", "inherit"),
        ("POST", "/v1/workspaces", "inherits"),
    ):
        for value in (0, 1, 1.0, "true", "yes", []):
            answer = served.gateway.client.open(
                path,
                method=method,
                json={name: value},
                headers={"Authorization": f"AccessKey {tenant.keys[Role.OWNER]}"},
            )
            assert answer.status_code == 422, (name, value, answer.text)
            assert answer.json["details"][f"$.{name}"] == ["Must be true or false."]
