"""Comparing values with the schemas of the API's description."""

from typing import Any

from openapi_schema_validator import OAS30Validator, oas30_format_checker


def strict(node: Any) -> Any:
    """The same description, in which an object may have no field that is not described."""
    if isinstance(node, list):
        return [strict(inner) for inner in node]
    if not isinstance(node, dict):
        return node
    found = {key: strict(inner) for key, inner in node.items()}
    if node.get("type") == "object" and node.get("properties"):
        found["additionalProperties"] = False
    return found


def validate(schema: Any, components: Any, value: Any) -> None:
    """Fail if a value is not one of the schema, which may refer to the components."""
    whole = {"allOf": [schema], "components": components}
    OAS30Validator(whole, format_checker=oas30_format_checker).validate(value)
