"""Schemas in the description: request bodies are strict, responses may get more fields."""

from typing import Any

from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import Schema

from app.web.fields import StrictSchema


class _Converter(OpenAPIConverter):
    def schema2jsonschema(self, schema: Schema) -> dict[str, Any]:
        shape: dict[str, Any] = super().schema2jsonschema(schema)  # type: ignore[no-untyped-call]
        # A client that was generated from the description must not refuse a new field.
        if not isinstance(schema, StrictSchema):
            shape.pop("additionalProperties", None)
        return shape


class SchemaPlugin(MarshmallowPlugin):
    """Apispec's plugin, with the rule above."""

    Converter = _Converter
