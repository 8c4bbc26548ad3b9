"""Generated requests, well and badly formed, against the seed's own description of its API.

The seed declares 200, 400 and 422; what else is answered is an extension of ours, in the seed's own
form of an error. The seed's file lies beside the checkout and may be absent.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from app.kernel.countries import COUNTRIES
from support.fuzz import FORMED, NEGATIVE, POSITIVE, fuzz, operations
from support.served import Served

pytestmark = pytest.mark.one_engine

SEED = Path(__file__).parents[3].parent / "shared" / "destination-management.openapi.json"
EXTENSIONS = {401, 403, 404, 405, 409, 412, 413, 415}


@pytest.fixture
def seed() -> dict[str, Any]:
    """The seed's description; it forgot to declare what its paths hold."""
    if not SEED.exists():
        pytest.skip("the seed's description does not lie beside the checkout")
    found: dict[str, Any] = json.loads(SEED.read_text())
    shapes = {
        "workspaceId": {"type": "string", "format": "uuid"},
        "capabilityName": {"type": "string", "enum": ["sms"]},
    }
    for of_path in found["paths"].values():
        of_path["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": shape}
            for name, shape in shapes.items()
        ]
    return found


@pytest.fixture
def exact_seed(seed: dict[str, Any]) -> dict[str, Any]:
    """The seed as it is meant: its two statuses, real countries, and no other fields."""
    schemas = seed["components"]["schemas"]
    of_map = schemas["DestinationManagementUpsertRequest"]
    status = {"type": "string", "enum": ["allowed", "blocked"]}
    of_map["properties"]["destinations"] = {
        "type": "object",
        "properties": dict.fromkeys(sorted(COUNTRIES), status),
        "additionalProperties": False,
        "maxProperties": 3,
    }
    of_list = schemas["DestinationManagementOperationRequest"]
    country = {"type": "string", "enum": sorted(COUNTRIES)}
    of_list["properties"]["destinations"] |= {"items": country, "maxItems": 300}
    for schema in (of_map, of_list):
        schema["additionalProperties"] = False
    return seed


def _is_extension(case: Any, answer: Any) -> bool:
    """Whether the seed does not declare a status; its answer must have the form of an error."""
    if str(answer.status_code) in case.operation.definition.raw["responses"]:
        return False
    assert answer.status_code in EXTENSIONS, answer.status_code
    assert {"code", "message"} <= set(answer.json()) <= {"code", "message", "details"}
    return True


def _statuses(served: Served, description: dict[str, Any], mode: Any, *checks: Any) -> set[int]:
    """Fuzz every operation and return what was answered, all of it well formed."""
    found: set[int] = set()
    ids = {"workspaceId": str(served.tenant.workspace_id), "capabilityName": "sms"}

    def judge(case: Any, answer: Any) -> None:
        found.add(answer.status_code)
        formed = [] if _is_extension(case, answer) else FORMED
        case.validate_response(answer, checks=[not_a_server_error, *formed, *checks])

    for operation in operations(served, description):
        # A malformed GET has only its path to be wrong in.
        pinned = ids if operation.body or mode is POSITIVE else None
        fuzz(served, operation, mode, judge, path_parameters=pinned)
    return found


def test_every_well_formed_request_of_the_seed_is_understood(
    served: Served, seed: dict[str, Any]
) -> None:
    assert _statuses(served, seed, POSITIVE) <= {200, 422}


def test_every_request_that_the_seed_means_is_accepted(
    served: Served, exact_seed: dict[str, Any]
) -> None:
    assert _statuses(served, exact_seed, POSITIVE, positive_data_acceptance) == {200}


def test_every_malformed_request_of_the_seed_is_refused_in_its_form(
    served: Served, exact_seed: dict[str, Any]
) -> None:
    found = _statuses(served, exact_seed, NEGATIVE, negative_data_rejection)
    assert {400, 422} <= found <= {400, 422} | EXTENSIONS
