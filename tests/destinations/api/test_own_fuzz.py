"""Generated requests against our own description: what it does not tell of is never answered."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from schemathesis.checks import not_a_server_error
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi.checks import negative_data_rejection, status_code_conformance

from app.kernel.ids import new_id
from support.fuzz import FORMED, NEGATIVE, POSITIVE, fuzz, operations
from support.served import Served

_BELOW = "/workspaces/{workspace_id}/destination-management"
ELSEWHERE = "/provider"  # asks Twilio, and is tested with it
pytestmark = pytest.mark.one_engine
CHECKS = [not_a_server_error, *FORMED, status_code_conformance]


@pytest.fixture
def found(served: Served) -> list[Any]:
    """Every operation about destinations."""
    description = served.gateway.get("/openapi.json").get_json()
    description["paths"] = {
        path: of_path
        for path, of_path in description["paths"].items()
        if path.startswith(_BELOW) and not path.endswith(ELSEWHERE)
    }
    return operations(served, description)


def _ids(served: Served, operation: Any) -> dict[str, str]:
    ids = {
        "workspace_id": str(served.tenant.workspace_id),
        "capability": "sms",
        "revision": "1",
        "rule_id": str(new_id()),
    }
    return {name: value for name, value in ids.items() if f"{{{name}}}" in operation.path}


def _judge(case: Any, answer: Any) -> None:
    case.validate_response(answer, checks=CHECKS)


def _judge_refusal(case: Any, answer: Any) -> None:
    # The check knows no 412, which a garbled If-Match gets.
    # A query value without a text of its own vanishes on the way: then the query that arrives is
    # well-formed, and the case is malformed only where its body is.
    sent = parse_qs(urlsplit(answer.request.url).query)
    components = case.meta.components
    body = components.get(ParameterLocation.BODY)
    has_valid_body = body is None or body.mode is not NEGATIVE
    is_well_formed = has_valid_body and set(case.query or {}) - set(sent) != set()
    accepted = [negative_data_rejection] if answer.status_code < 400 and not is_well_formed else []
    case.validate_response(answer, checks=[*CHECKS, *accepted])


def test_every_operation_is_described(found: list[Any]) -> None:
    below = {(found.method.upper(), found.path.partition("{capability}")[2]) for found in found}
    assert below >= {
        ("GET", ""),
        ("PUT", ""),
        ("POST", "/allow"),
        ("POST", "/block"),
        ("GET", "/rules"),
        ("POST", "/rules"),
        ("DELETE", "/rules/{rule_id}"),
        ("GET", "/inheritance"),
        ("PUT", "/inheritance"),
        ("GET", "/history"),
        ("POST", "/history/{revision}/restore"),
        ("POST", "/check"),
        ("GET", "/refusals"),
    }


def test_a_well_formed_request_is_answered_as_described(served: Served, found: list[Any]) -> None:
    for operation in found:
        fuzz(served, operation, POSITIVE, _judge, path_parameters=_ids(served, operation))


def test_a_dry_run_is_answered_as_described(served: Served, found: list[Any]) -> None:
    changes = [one for one in found if "dry_run" in {p.name for p in one.query}]
    assert len(changes) == 7
    for operation in changes:
        pinned = {"path_parameters": _ids(served, operation), "query": {"dry_run": "true"}}
        fuzz(served, operation, POSITIVE, _judge, **pinned)


def test_a_malformed_request_is_refused_as_described(served: Served, found: list[Any]) -> None:
    for operation in found:
        pinned = {"path_parameters": _ids(served, operation)} if operation.body else {}
        fuzz(served, operation, NEGATIVE, _judge_refusal, **pinned)
