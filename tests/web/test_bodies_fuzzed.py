"""Whatever a client sends as a body: never a 5xx."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st

from app.access.principal import Role
from app.application import declared_endpoints
from app.web.routes import Endpoint
from support.factories import US_NUMBER
from support.posting import post
from support.routes import RECIPES, Recipe, fill, ids_of
from support.served import Served

PATHS = ("/v1/sms", "/v1/opt-outs")
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
ANY_BODY = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("path", PATHS)
@ANY_BODY
@given(body=st.binary(max_size=300))
def test_any_bytes_answer_no_5xx(served: Served, path: str, body: bytes) -> None:
    answer = post(served, path, body)
    assert answer.status_code in {400, 422}
    assert answer.get_json()["code"] in {"BadRequest", "ValidationFailed"}


@pytest.mark.parametrize("path", PATHS)
@ANY_BODY
@given(body=_JSON)
def test_any_json_answers_no_5xx(served: Served, path: str, body: Any) -> None:
    answer = post(served, path, json.dumps(body).encode())
    assert answer.status_code < 500, answer.text
    assert answer.status_code < 300 or answer.get_json()["code"]


@pytest.mark.parametrize("path", PATHS)
@ANY_BODY
@given(values=st.dictionaries(_KEYS, _JSON, max_size=6))
def test_any_field_values_answer_no_5xx(served: Served, path: str, values: dict[str, Any]) -> None:
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
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_field_values_of_every_body_answer_no_5xx(
    served: Served, endpoint: Endpoint, data: st.DataObject
) -> None:
    ids = ids_of(served.tenant)
    recipe = RECIPES.get((endpoint.method, endpoint.path), Recipe(0))
    names = list(endpoint.body().fields) if endpoint.body else []
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
def test_unsigned_callback_with_any_content_is_forbidden(
    served: Served, path: str, fields: dict[str, str], signature: str
) -> None:
    answer = served.gateway.client.post(
        path,
        data=urlencode(fields),
        content_type="application/x-www-form-urlencoded",
        headers={"X-Twilio-Signature": signature or "x"},
    )
    assert (answer.status_code, answer.get_json()["code"]) == (403, "Forbidden")
