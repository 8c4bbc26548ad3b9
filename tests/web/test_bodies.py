"""What a client may send as a body: every malformed one gets the right 4xx, none a 500."""

import json
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.access.principal import Role, mint_token
from app.kernel.ids import new_id
from support.each import each
from support.factories import US_NUMBER
from support.posting import post, refused
from support.routes import RECIPES, absent_ids, fill
from support.served import Served

pytestmark = pytest.mark.one_engine

PATHS = ("/v1/sms", "/v1/opt-outs")
KIB_64 = 64 * 1024


NOT_JSON = {
    "absent": b"",
    "blank": b"  \n ",
    "cut": b'{"message": "a"',
    "trailing comma": b'{"message": "a",}',
    "single quotes": b"{'message': 'a'}",
    "two documents": b"{} {}",
    "a form": b"message=a&use_case_id=b",
    "comment": b'{"message": "a"} // b',
    "not UTF-8": b'{"message": "\xff"}',
    "UTF-16": json.dumps({"message": "a"}).encode("utf-16"),
    "Latin-1": '{"message": "\u00e9"}'.encode("latin-1"),
    "UTF-8 with a byte order mark": b'\xef\xbb\xbf{"message": "a"}',
    "surrogate in UTF-8": b'{"message": "\xed\xa0\x80"}',
    "overlong UTF-8": b'{"message": "\xc0\xae"}',
    "control character": b'{"message": "a\x00b"}',
    "NaN": b'{"message": NaN}',
    "Infinity": b'{"message": -Infinity}',
    "nested too deeply": b"[" * 30_000 + b"]" * 30_000,
    "objects nested too deeply": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "a number of too many digits": b'{"message": ' + b"9" * 5000 + b"}",
    "a key twice": b'{"message": "a", "message": "a"}',
    "a key twice, written differently": b'{"message": "a", "\\u006dessage": "a"}',
    "a key twice, deeper": b'{"message": {"x": 1, "x": 2}}',
}


@each("path", PATHS)
@each("body", NOT_JSON.values(), ids=NOT_JSON)
def test_body_that_is_not_json_is_a_bad_request(served: Served, path: str, body: bytes) -> None:
    assert refused(post(served, path, body)) == (400, "BadRequest", None)


@each("path", PATHS)
@each("body", [b"[]", b'"text"', b"1", b"true", b"null", b"[{}]", b"1e999"])
def test_json_that_is_no_object_is_named_as_such(served: Served, path: str, body: bytes) -> None:
    assert refused(post(served, path, body)) == (
        422,
        "ValidationFailed",
        {"$": ["Must be a JSON object."]},
    )


@each("path", PATHS)
@each(
    "content_type",
    [
        *(None, "", "text/plain", "text/json", "application/x-www-form-urlencoded"),
        *("multipart/form-data; boundary=x", "application/jsonp", "application/octet-stream"),
        "*/*",
    ],
)
def test_another_content_type_is_unsupported(
    served: Served, path: str, content_type: str | None
) -> None:
    answer = post(served, path, b"{}", content_type)
    assert refused(answer) == (415, "UnsupportedMediaType", None)


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", "Application/JSON"]
)
def test_json_is_json_however_its_type_is_written(served: Served, content_type: str) -> None:
    assert post(served, "/v1/opt-outs", b"{}", content_type).status_code == 422


@pytest.mark.parametrize("path", PATHS)
def test_64_kib_are_read_and_a_byte_more_is_too_large(served: Served, path: str) -> None:
    largest = b"{}" + b" " * (KIB_64 - 2)
    assert post(served, path, largest).status_code == 422
    for more in (1, 2, KIB_64):
        answer = post(served, path, largest + b" " * more)
        assert refused(answer) == (413, "PayloadTooLarge", None)


@pytest.mark.parametrize("path", PATHS)
def test_a_body_of_unannounced_length_is_measured_too(served: Served, path: str) -> None:
    chunked = {"wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    largest = b"{}" + b" " * (KIB_64 - 2)
    read = post(served, path, largest, environ_overrides=chunked)
    assert read.status_code == 422
    answer = post(served, path, largest + b" ", environ_overrides=chunked)
    assert refused(answer) == (413, "PayloadTooLarge", None)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("body", [b"{", b" " * (KIB_64 + 2)], ids=["malformed", "oversized"])
def test_forbidden_key_is_refused_before_its_body_is_read(
    served: Served, path: str, body: bytes
) -> None:
    for token, status in [(mint_token(), 401), (served.tenant.keys[Role.VIEWER], 403)]:
        answer = served.gateway.client.post(
            path,
            data=body,
            content_type="application/json",
            headers={"Authorization": f"AccessKey {token}"},
        )
        assert answer.status_code == status


MISTYPED = [None, 1, 1.5, True, [], ["a"], {}, {"a": "b"}, [[[]]], 10**400]


@each("value", MISTYPED, ids=lambda value: str(value)[:10])
@each(
    ("path", "field", "good"),
    [
        ("/v1/sms", "use_case_id", {"to_phone_number": US_NUMBER, "message": "a"}),
        ("/v1/sms", "to_phone_number", {"use_case_id": str(new_id()), "message": "a"}),
        ("/v1/sms", "message", {"use_case_id": str(new_id()), "to_phone_number": US_NUMBER}),
        ("/v1/opt-outs", "to_number", {}),
        ("/v1/opt-outs", "source", {"to_number": US_NUMBER}),
        ("/v1/opt-outs", "use_case_id", {"to_number": US_NUMBER}),
        ("/v1/opt-outs", "workspace_id", {"to_number": US_NUMBER}),
    ],
)
def test_a_field_of_another_type_is_named(
    served: Served, path: str, field: str, good: dict[str, Any], value: Any
) -> None:
    if value is None and path == "/v1/opt-outs" and field.endswith("_id"):
        return  # null is how these say that they are left out
    status, code, details = refused(post(served, path, json.dumps(good | {field: value}).encode()))
    assert (status, code, list(details)) == (422, "ValidationFailed", [f"$.{field}"])
    assert all(details[f"$.{field}"])


@each("text", ["a\x00b", "\x00", "\ud800", "a\udfffb"], ids=ascii)
@each("field", ["message", "to_phone_number", "use_case_id"])
def test_characters_that_cannot_be_stored_are_refused(
    served: Served, field: str, text: str
) -> None:
    body = {"use_case_id": str(new_id()), "to_phone_number": US_NUMBER, "message": "a"}
    answer = post(served, "/v1/sms", json.dumps(body | {field: text}).encode())
    assert refused(answer)[:2] == (422, "ValidationFailed")


def test_a_pair_of_surrogates_is_one_character(served: Served) -> None:
    body = {
        "use_case_id": str(served.tenant.use_case_id),
        "to_phone_number": US_NUMBER,
        "message": "x" * 1599 + "\U0001f600",
    }
    answer = post(served, "/v1/sms", json.dumps(body).encode())
    assert answer.status_code == 201
    assert answer.get_json()["body"] == body["message"]


def test_unknown_fields_are_refused_by_name_with_every_other_problem(served: Served) -> None:
    body = {
        "to_phone_number": "2025550123",
        "message": "",
        "color": 1,
        "x y": {},
        "": 1,
        "\ud800": 1,
    }
    status, code, details = refused(post(served, "/v1/sms", json.dumps(body).encode()))
    assert (status, code) == (422, "ValidationFailed")
    assert details == {
        "$.use_case_id": ["Missing data for required field."],
        "$.to_phone_number": ["Must be in E.164 form, for example +12025550123."],
        "$.message": ["Length must be between 1 and 1600."],
        "$.color": ["Unknown field."],
        "$.x y": ["Unknown field."],
        "$.": ["Unknown field."],
        "$.\ud800": ["Unknown field."],
    }


WITHOUT_BODY = [
    place
    for place, recipe in RECIPES.items()
    if place[0] != "GET" and recipe.status < 400 and recipe.body({"use_case_id": ""}) is None
]


def _ask_without_body(
    served: Served, place: tuple[str, str], body: bytes, content_type: str | None
) -> TestResponse:
    method, path = place
    headers = {"Authorization": f"AccessKey {served.tenant.keys[Role.OWNER]}"}
    return served.gateway.client.open(
        fill(path, absent_ids()),
        method=method,
        data=body,
        content_type=content_type,
        headers=headers,
    )


@each("content_type", ["application/json", "application/x-www-form-urlencoded", None])
def test_a_route_without_a_body_refuses_fields(served: Served, content_type: str | None) -> None:
    """Who adds ``dry_run`` to such a route must not get the real change."""
    assert len(WITHOUT_BODY) >= 9
    for place in WITHOUT_BODY:
        answer = _ask_without_body(served, place, b'{"dry_run": true}', content_type)
        wanted = (422, "ValidationFailed", {"$.dry_run": ["Unknown field."]})
        assert refused(answer) == wanted, place
        answer = _ask_without_body(served, place, b"dry_run=true", content_type)
        assert refused(answer) == (400, "BadRequest", None), place


@each("body", [b"", b"  ", b"{}", b"null"], ids=["absent", "blank", "empty", "null"])
def test_a_route_without_a_body_takes_one_without_fields(served: Served, body: bytes) -> None:
    for place in WITHOUT_BODY:
        for content_type in ("application/json", "text/plain", None):
            answer = _ask_without_body(served, place, body, content_type)
            assert answer.status_code not in {400, 415, 422}, place
