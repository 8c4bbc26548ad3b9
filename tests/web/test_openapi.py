"""The description of the API is valid, complete, and what the answers are really like."""

import gzip
import json
import re
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV30SpecValidator
from werkzeug.test import TestResponse

from app.access.principal import Role
from app.application import declared_endpoints
from app.web.errors import HTTP_STATUS
from app.web.openapi import errors_of
from app.web.routes import Endpoint
from support.description import strict, validate
from support.each import each
from support.factories import BR_NUMBER, PUBLIC_URL
from support.fake_twilio import refused
from support.routes import RECIPES, absent_ids, fill, ids_of
from support.served import Served

pytestmark = pytest.mark.one_engine

ENDPOINTS = [endpoint for endpoint in declared_endpoints() if endpoint.described]
PAGES = [endpoint for endpoint in declared_endpoints() if not endpoint.described]


@pytest.fixture(scope="module")
def document(served: Served) -> dict[str, Any]:
    answer = served.gateway.get("/openapi.json")
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    found: dict[str, Any] = answer.get_json()
    return found


@pytest.fixture(scope="module")
def checked(document: dict[str, Any]) -> dict[str, Any]:
    """The description with what `check` compares answers with."""
    return document | {"strict components": strict(document["components"])}


def name(endpoint: Endpoint) -> str:
    return f"{endpoint.method} {endpoint.path}"


def operation_of(document: dict[str, Any], endpoint: Endpoint) -> dict[str, Any]:
    found: dict[str, Any] = document["paths"][endpoint.path][endpoint.method.lower()]
    return found


def check(document: dict[str, Any], endpoint: Endpoint, answer: TestResponse) -> None:
    """Make sure that an answer is one that the description tells of."""
    described = operation_of(document, endpoint)["responses"]
    assert str(answer.status_code) in described, (name(endpoint), answer.status_code, answer.text)
    check_headers(document, described[str(answer.status_code)], answer)
    content = described[str(answer.status_code)].get("content")
    if content is None:
        assert answer.data == b""
        return
    assert answer.mimetype in content
    if answer.mimetype != "application/json":
        return
    schema = content["application/json"]["schema"]
    validate(schema, document["strict components"], answer.get_json())


DOCUMENTED_HEADERS = {
    "ETag",
    "Retry-After",
    "WWW-Authenticate",
    "Idempotent-Replayed",
    "X-Request-Id",
}


def check_headers(
    document: dict[str, Any], described: dict[str, Any], answer: TestResponse
) -> None:
    """Make sure that the headers that matter are documented, and come where they always do."""
    documented = described["headers"]
    assert DOCUMENTED_HEADERS & set(answer.headers.keys()) <= documented.keys()
    common = document["components"]["headers"]
    required = {
        name for name in documented if common.get(name, {}).get("required") or name == "ETag"
    }
    assert required <= set(answer.headers.keys())


def test_it_is_valid_openapi(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.0.")
    assert [str(problem) for problem in OpenAPIV30SpecValidator(document).iter_errors()] == []
    assert document["servers"] == [{"url": PUBLIC_URL}]


def test_it_is_compressed_and_not_sent_again_to_a_client_with_the_same_version(
    served: Served,
) -> None:
    answer = served.gateway.get("/openapi.json", Accept_Encoding="gzip")
    assert json.loads(gzip.decompress(answer.data))["openapi"] == "3.0.3"
    tag = answer.headers["ETag"]
    again = served.gateway.get("/openapi.json", Accept_Encoding="gzip", If_None_Match=tag)
    assert (again.status_code, again.data) == (304, b"")


def test_every_route_but_pages_is_described_and_nothing_else(
    served: Served, document: dict[str, Any]
) -> None:
    rules = served.gateway.client.application.url_map.iter_rules()
    served_routes = {
        (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in rules
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    described = {(method.upper(), path) for path, of in document["paths"].items() for method in of}
    pages = {(endpoint.method, endpoint.path) for endpoint in PAGES}
    assert served_routes == described | pages
    assert described == {(endpoint.method, endpoint.path) for endpoint in ENDPOINTS}


def test_undescribed_routes_are_pages() -> None:
    pages = {endpoint.path for endpoint in PAGES} - {"/"}
    assert all(path.startswith(("/assets/", "/console")) for path in pages)


def test_every_operation_has_a_name_of_its_own_a_summary_and_its_access_rule(
    document: dict[str, Any],
) -> None:
    operations = [of for path in document["paths"].values() for of in path.values()]
    ids = [operation["operationId"] for operation in operations]
    assert len(set(ids)) == len(ids)
    for operation in operations:
        assert operation["summary"].endswith(".")
        assert operation["description"].startswith("Access: ")
        assert operation["tags"]


@each("endpoint", ENDPOINTS, ids=name)
def test_every_operation_describes_its_key_parameters_body_and_errors(
    document: dict[str, Any], endpoint: Endpoint
) -> None:
    operation = operation_of(document, endpoint)
    keyed = endpoint.guard.rule in set(Role)
    assert operation["security"] == ([{"accessKey": []}] if keyed else [])
    in_path = {of["name"] for of in operation["parameters"] if of["in"] == "path"}
    assert in_path == set(re.findall(r"\{(\w+)\}", endpoint.path))
    assert ("requestBody" in operation) == (endpoint.body is not None or endpoint.form is not None)
    in_query = {of["name"] for of in operation["parameters"] if of["in"] == "query"}
    assert bool(in_query) == (endpoint.query is not None)
    statuses = {str(HTTP_STATUS[error]) for error in errors_of(endpoint)}
    assert statuses <= operation["responses"].keys()
    if keyed:
        assert {"401", "403"} <= statuses
    if endpoint.body is not None:
        assert {"400", "413", "415", "422"} <= statuses


def test_a_body_may_have_no_unknown_field_and_an_answer_may_grow(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["SendBody"]["additionalProperties"] is False
    assert "additionalProperties" not in schemas["MessageView"]
    assert "additionalProperties" not in schemas["Error"]


@each("endpoint", [e for e in ENDPOINTS if (e.method, e.path) in RECIPES], ids=name)
def test_answers_match_the_description(
    served: Served, checked: dict[str, Any], endpoint: Endpoint
) -> None:
    recipe, tenant = RECIPES[endpoint.method, endpoint.path], served.tenant
    tenant = served.factory.tenant(tenant.organization_id, f"for {name(endpoint)}")
    own = ids_of(tenant) | recipe.prepare(served.gateway, tenant)
    keys = tenant.keys
    if recipe.of_organization:
        keys = served.factory.keys(tenant.organization_id, None)
    tried: list[tuple[dict[str, str], Role | None, Any, str]] = [
        (absent_ids(), Role.OWNER, recipe.body(absent_ids()), ""),
        (own, None, recipe.body(own), ""),
        (own, Role.VIEWER, recipe.body(own), ""),
        (own, Role.OWNER, recipe.body(own), "?limit=0&dry_run=perhaps"),
        (own | dict.fromkeys(own, "x"), Role.OWNER, recipe.body(own), ""),
        (own, Role.OWNER, {"unknown": 1}, ""),
        (own, Role.OWNER, recipe.body(own), "?dry_run=true" if endpoint.query else ""),
        (own, Role.OWNER, recipe.body(own), ""),
    ]
    statuses = set()
    for ids, role, body, query in tried:
        answer = served.gateway.client.open(
            fill(endpoint.path, ids) + query,
            method=endpoint.method,
            json=body,
            headers={} if role is None else {"Authorization": f"AccessKey {keys[role]}"},
        )
        check(checked, endpoint, answer)
        statuses.add(answer.status_code)
    assert recipe.status in statuses


def test_answers_during_a_messages_life_match_the_description(
    served: Served, checked: dict[str, Any]
) -> None:
    by_name = {name(endpoint): endpoint for endpoint in ENDPOINTS}
    gateway, tenant = served.gateway, served.tenant
    send, fetch = by_name["POST /v1/sms"], by_name["GET /v1/sms/{message_id}"]
    sent = gateway.send(tenant)
    check(checked, send, sent)
    message = sent.get_json()
    for status in ("queued", "sent", "sent", "undelivered", "delivered"):
        code = {"ErrorCode": "30005"} if status == "undelivered" else {}
        documented = gateway.callback(message["id"], message["message_sid"], status, **code)
        check(checked, by_name["POST /v1/webhook/twilio/sms-status"], documented)
        key = tenant.keys[Role.VIEWER]
        check(checked, fetch, gateway.get(f"/v1/sms/{message['id']}", key=key))
    events = gateway.get(f"/v1/sms/{message['id']}/events", key=tenant.keys[Role.VIEWER])
    check(checked, by_name["GET /v1/sms/{message_id}/events"], events)
    assert len(events.get_json()["items"]) == 5
    check(checked, send, gateway.send(tenant, to=BR_NUMBER))
    for code in (21408, 21610, 99999, 20003):
        gateway.twilio.script.append(refused(code))
        check(checked, send, gateway.send(tenant, to="+12025550177"))
