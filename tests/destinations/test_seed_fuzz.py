"""Generated requests, well and badly formed, against both descriptions of the API.

The seed declares 200, 400 and 422; what else is answered is an extension of ours, in the seed's own
form of an error. The seed's file lies beside the checkout and may be absent.
"""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    response_schema_conformance,
    status_code_conformance,
)

from app.access.roles import Role
from app.kernel.countries import COUNTRIES
from app.kernel.ids import new_id
from support.served import Served

SEED = Path(__file__).parents[2].parent / "shared" / "destination-management.openapi.json"
EXTENSIONS = {401, 403, 404, 405, 409, 412, 413, 415}
FORMED = (content_type_conformance, response_schema_conformance)
POSITIVE, NEGATIVE = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
_BELOW = "/workspaces/{workspace_id}/destination-management"

schemathesis.openapi.format("iso3166-1", st.sampled_from(sorted(COUNTRIES)))
bounded = settings(
    max_examples=25,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


def _key(served: Served) -> dict[str, str]:
    return {"Authorization": f"AccessKey {served.tenant.keys[Role.ADMIN]}"}


def _seed() -> dict[str, Any]:
    """The seed's description; it forgot to declare what its paths hold."""
    if not SEED.exists():
        pytest.skip("the seed's description does not lie beside the checkout")
    found: dict[str, Any] = json.loads(SEED.read_text())
    found["servers"] = [{"url": "/"}]
    for operations in found["paths"].values():
        operations["parameters"] = [
            {"name": "workspaceId", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}},
            {"name": "capabilityName", "in": "path", "required": True, "schema": {"type": "string", "enum": ["sms"]}},
        ]
    return found


def _exact(seed: dict[str, Any]) -> dict[str, Any]:
    """The seed as it is meant: its two statuses, real countries, and no other fields."""
    found = deepcopy(seed)
    schemas = found["components"]["schemas"]
    countries = {"type": "string", "enum": sorted(COUNTRIES)}
    of_put = schemas["DestinationManagementUpsertRequest"]
    of_put["properties"]["destinations"] = {
        "type": "object",
        "properties": {
            code: {"type": "string", "enum": ["allowed", "blocked"]} for code in ("US", "BR", "XK")
        },
        "additionalProperties": False,
    }
    of_list = schemas["DestinationManagementOperationRequest"]
    of_list["properties"]["destinations"] |= {"items": countries, "maxItems": 300}
    for schema in (of_put, of_list):
        schema["additionalProperties"] = False
    return found


def _operations(served: Served, description: dict[str, Any]) -> list[Any]:
    loaded = schemathesis.openapi.from_dict(description)
    loaded.app = served.gateway.client.application
    return [found.ok() for found in loaded.get_all_operations()]


def _ask(served: Served, case: Any) -> Any:
    return case.call(headers=_key(served))


def _is_extension(case: Any, answer: Any) -> bool:
    """Whether a status is one that the seed does not declare; then it must have its error form."""
    declared = case.operation.definition.raw["responses"]
    if str(answer.status_code) in declared:
        return False
    assert answer.status_code in EXTENSIONS, answer.status_code
    assert {"code", "message"} <= set(answer.json()) <= {"code", "message", "details"}
    return True


def _fuzz_seed(served: Served, description: dict[str, Any], mode: Any, *checks: Any) -> set[int]:
    statuses: set[int] = set()
    ids = {"workspaceId": str(served.tenant.workspace_id), "capabilityName": "sms"}
    for operation in _operations(served, description):
        takes_body = bool(operation.body)
        pinned = ids if takes_body or mode is POSITIVE else None

        @bounded
        @given(operation.as_strategy(mode, path_parameters=pinned))
        def ask(case: Any) -> None:
            answer = _ask(served, case)
            statuses.add(answer.status_code)
            if not _is_extension(case, answer):
                case.validate_response(answer, checks=[*FORMED, not_a_server_error])
            case.validate_response(answer, checks=[not_a_server_error, *checks])

        ask()
    return statuses


def test_every_well_formed_request_of_the_seed_is_understood(served: Served) -> None:
    assert _fuzz_seed(served, _seed(), POSITIVE) <= {200, 422}


def test_every_request_that_the_seed_means_is_accepted(served: Served) -> None:
    found = _fuzz_seed(served, _exact(_seed()), POSITIVE, positive_data_acceptance)
    assert found == {200}


def test_every_malformed_request_of_the_seed_is_refused_in_its_form(served: Served) -> None:
    found = _fuzz_seed(served, _exact(_seed()), NEGATIVE, negative_data_rejection)
    assert {400, 422} <= found <= {400, 422} | EXTENSIONS


@pytest.mark.parametrize("mode", [POSITIVE, NEGATIVE])
def test_our_own_description_says_what_is_answered(served: Served, mode: Any) -> None:
    client = served.gateway.client
    description = client.get("/openapi.json").get_json()
    description["servers"] = [{"url": "/"}]
    description["paths"] = {
        path: found for path, found in description["paths"].items() if path.startswith(_BELOW)
    }
    ids = {"workspace_id": str(served.tenant.workspace_id), "capability": "sms"}
    absent = {"revision": "1", "rule_id": str(new_id())}
    count = 0
    for operation in _operations(served, description):
        count += 1
        named = {name: value for name, value in (ids | absent).items() if f"{{{name}}}" in operation.path}

        @bounded
        @given(operation.as_strategy(mode, path_parameters=named if mode is POSITIVE else None))
        def ask(case: Any) -> None:
            answer = _ask(served, case)
            checks = [not_a_server_error, *FORMED, status_code_conformance]
            case.validate_response(answer, checks=checks)

        ask()
    assert count >= 13
