"""Examples and texts of the description: complete, true to their schemas, and equal to real answers."""

from typing import Any

import pytest

from app.application import declared_endpoints
from app.kernel.errors import ValidationFailed
from app.web.errors import HTTP_STATUS
from app.web.openapi import describe, errors_of
from app.web.openapi_examples import example_of
from app.web.routes import Endpoint
from support.description import strict, validate
from support.factories import BR_NUMBER, PUBLIC_URL
from support.served import Served

pytestmark = pytest.mark.one_engine

ENDPOINTS = [endpoint for endpoint in declared_endpoints() if endpoint.described]
DOCUMENT = describe(ENDPOINTS, PUBLIC_URL)
COMPONENTS = strict(DOCUMENT["components"])
EACH = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda e: f"{e.method} {e.path}")
JSON = "application/json"


def operation_of(endpoint: Endpoint) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][endpoint.path][endpoint.method.lower()]
    return found


def examples_of(media: dict[str, Any]) -> dict[str, Any]:
    """The examples of a media type by their names, references followed."""
    if "example" in media:
        return {"": media["example"]}
    found = {}
    for name, example in media.get("examples", {}).items():
        reference = example.get("$ref", "").rpartition("/")[2]
        found[name] = (DOCUMENT["components"]["examples"][reference] if reference else example)[
            "value"
        ]
    return found


@EACH
def test_every_document_has_an_example_and_each_fits_its_schema(endpoint: Endpoint) -> None:
    operation = operation_of(endpoint)
    bodies = [operation["requestBody"]] if "requestBody" in operation else []
    for holder in [*bodies, *operation["responses"].values()]:
        for kind, media in holder.get("content", {}).items():
            examples = examples_of(media)
            if kind == JSON and media["schema"] != {"type": "object"}:
                assert examples, holder["description"]
            for example in examples.values():
                validate(media["schema"], COMPONENTS, example)


@EACH
def test_route_accepts_the_example_of_its_body(served: Served, endpoint: Endpoint) -> None:
    if endpoint.body is None:
        return
    example = operation_of(endpoint)["requestBody"]["content"][JSON]["example"]
    assert example
    with served.gateway.client.application.app_context():
        assert endpoint.body().load(example) is not None


@EACH
def test_every_error_of_a_route_has_its_meaning_and_its_example(endpoint: Endpoint) -> None:
    responses = operation_of(endpoint)["responses"]
    for error in errors_of(endpoint):
        response = responses[str(HTTP_STATUS[error])]
        example = examples_of(response["content"][JSON])[error.__name__]
        assert (example["code"], example["message"]) == (error.__name__, error.message)
        assert f"`{error.__name__}`: " in response["description"]
        if error is ValidationFailed:
            assert all(path.startswith("$") for path in example["details"])


def test_the_example_of_a_block_has_what_a_block_has(served: Served) -> None:
    documented = DOCUMENT["components"]["examples"]["DestinationBlocked"]["value"]
    real = served.gateway.send(served.tenant, to=BR_NUMBER).get_json()
    assert documented["details"].keys() == real["details"].keys()
    differing = {
        name
        for name in documented["details"]
        if documented["details"][name] != real["details"][name]
    }
    assert differing <= {"revision"}


def test_every_field_and_parameter_of_the_sms_api_is_explained() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    for name in ("SendBody", "MessageView", "EventView", "Error"):
        for field, shape in schemas[name]["properties"].items():
            assert shape.get("description"), f"{name}.{field}"
    for path, operations in DOCUMENT["paths"].items():
        if path.startswith("/v1/sms"):
            for operation in operations.values():
                documented = [one for one in operation["parameters"] if one["in"] != "path"]
                assert all(one.get("description") for one in documented), path


def test_every_id_in_a_path_has_an_example() -> None:
    for operations in DOCUMENT["paths"].values():
        for operation in operations.values():
            in_path = [one for one in operation["parameters"] if one["in"] == "path"]
            assert all(one["example"] for one in in_path)


def test_no_example_is_only_the_name_of_its_field() -> None:
    placeholders = {
        f"{name}.{field}"
        for endpoint in ENDPOINTS
        for name, schema in _schemas_of(endpoint).items()
        for field, value in example_of(schema).items()
        if value == field
    }
    assert placeholders == set(), "give the field an example in its metadata"


def _schemas_of(endpoint: Endpoint) -> dict[str, Any]:
    shapes = [endpoint.body] if endpoint.body else []
    for shape in endpoint.answers.values():
        shapes += [one for one in (shape if isinstance(shape, tuple) else (shape,)) if one]
    return {one.__name__: one for one in shapes if not isinstance(one, str)}
