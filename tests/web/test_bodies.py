"""What a client may send as a body: every malformed one gets the right 4xx, none a 500."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from app.access.roles import Role
from app.access.tokens import mint_token
from app.application import declared_endpoints
from app.kernel.ids import new_id
from app.web.routes import Endpoint
from support.routes import RECIPES, Recipe, fill, ids_of
from support.served import Served
from support.world import US_NUMBER

PATHS = ("/v1/sms", "/v1/opt-outs")
KIB_64 = 64 * 1024


def post(
    served: Served,
    path: str,
    body: bytes,
    content_type: str | None = "application/json",
    **more: Any,
) -> TestResponse:
    headers = {"Authorization": f"AccessKey {served.tenant.keys[Role.ADMIN]}"}
    return served.gateway.client.post(
        path, data=body, content_type=content_type, headers=headers, **more
    )


def refused(answer: TestResponse) -> tuple[int, str, Any]:
    found = answer.get_json()
    return answer.status_code, found["code"], found.get("details")


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


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON)
def test_what_is_not_json_is_a_bad_request(served: Served, path: str, body: bytes) -> None:
    assert refused(post(served, path, body)) == (400, "BadRequest", None)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("body", [b"[]", b'"text"', b"1", b"true", b"null", b"[{}]", b"1e999"])
def test_json_that_is_no_object_is_named_as_such(served: Served, path: str, body: bytes) -> None:
    assert refused(post(served, path, body)) == (
        422,
        "ValidationFailed",
        {"$": ["Must be a JSON object."]},
    )


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "application/octet-stream",
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
def test_a_key_that_may_not_is_told_so_before_its_body_is_read(
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


@pytest.mark.parametrize("value", MISTYPED, ids=lambda value: str(value)[:10])
@pytest.mark.parametrize(
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


@pytest.mark.parametrize("text", ["a\x00b", "\x00", "\ud800", "a\udfffb"], ids=ascii)
@pytest.mark.parametrize("field", ["message", "to_phone_number", "use_case_id"])
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


def test_unknown_fields_are_refused_by_name_and_every_problem_is_told_at_once(
    served: Served,
) -> None:
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


_KEYS = st.sampled_from(
    ["use_case_id", "to_phone_number", "message", "to_number", "source", "workspace_id"]
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(US_NUMBER),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(_KEYS | st.text(max_size=8), inner, max_size=6)
    ),
    max_leaves=12,
)
ANY_BODY = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.parametrize("path", PATHS)
@ANY_BODY
@given(body=st.binary(max_size=300))
def test_whatever_bytes_come_the_answer_is_no_5xx(served: Served, path: str, body: bytes) -> None:
    answer = post(served, path, body)
    assert answer.status_code in {400, 422}
    assert answer.get_json()["code"] in {"BadRequest", "ValidationFailed"}


@pytest.mark.parametrize("path", PATHS)
@ANY_BODY
@given(body=_JSON)
def test_whatever_json_comes_the_answer_is_no_5xx(served: Served, path: str, body: Any) -> None:
    answer = post(served, path, json.dumps(body).encode())
    assert answer.status_code < 500, answer.text
    assert answer.status_code < 300 or answer.get_json()["code"]


@pytest.mark.parametrize("path", PATHS)
@ANY_BODY
@given(values=st.dictionaries(_KEYS, _JSON, max_size=6))
def test_whatever_stands_in_the_fields_the_answer_is_no_5xx(
    served: Served, path: str, values: dict[str, Any]
) -> None:
    good = {
        "/v1/sms": {
            "use_case_id": str(served.tenant.use_case_id),
            "to_phone_number": US_NUMBER,
            "message": "a",
        },
        "/v1/opt-outs": {"to_number": US_NUMBER},
    }
    answer = post(served, path, json.dumps(good[path] | values).encode())
    assert answer.status_code < 500, answer.text


WITH_BODY = [endpoint for endpoint in declared_endpoints() if endpoint.body is not None]


@pytest.mark.parametrize("endpoint", WITH_BODY, ids=lambda of: f"{of.method} {of.path}")
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_whatever_stands_in_the_fields_of_any_body_the_answer_is_no_5xx(
    served: Served, endpoint: Endpoint, data: st.DataObject
) -> None:
    ids = ids_of(served.tenant)
    recipe = RECIPES.get((endpoint.method, endpoint.path), Recipe(0))
    names = list(endpoint.body.schema().fields) if endpoint.body else []
    wrong = data.draw(st.dictionaries(st.sampled_from(names), _JSON, max_size=3))
    answer = served.gateway.client.open(
        fill(endpoint.path, ids),
        method=endpoint.method,
        json=(recipe.body(ids) or {}) | wrong,
        headers={"Authorization": f"AccessKey {served.tenant.keys[Role.OWNER]}"},
    )
    assert answer.status_code < 500, answer.text


@pytest.mark.parametrize(
    "path", ["/v1/webhook/twilio/sms-status", "/v1/webhook/twilio/sms-inbound"]
)
@ANY_BODY
@given(
    fields=st.dictionaries(
        st.sampled_from(["AccountSid", "MessageSid", "MessageStatus", "From", "Body", "ErrorCode"])
        | st.text(max_size=8),
        st.text(max_size=12),
        max_size=6,
    ),
    signature=st.text(alphabet=st.characters(max_codepoint=255, exclude_categories=["Cc"])),
)
@example(fields={"AccountSid": "AC\x00"}, signature="x")
@example(fields={"AccountSid": "AC" * 5000}, signature="x")
def test_whatever_an_unsigned_callback_holds_it_is_forbidden(
    served: Served, path: str, fields: dict[str, str], signature: str
) -> None:
    answer = served.gateway.client.post(
        path,
        data=urlencode(fields),
        content_type="application/x-www-form-urlencoded",
        headers={"X-Twilio-Signature": signature or "x"},
    )
    assert (answer.status_code, answer.get_json()["code"]) == (403, "Forbidden")
