"""Example bodies, generated from their schemas.

A field's own example is in its metadata; otherwise name and type decide; nullable fields are null.
Ids, numbers and times are always the same.
"""

from typing import Any

from marshmallow import Schema, fields, validate

_OWN_ID = "01990b4e-5d2c-7a1b-8c3d-2f6e4a9b7c10"
_AT = "2026-01-09T10:11:12.000Z"
_BY_NAME: dict[str, Any] = {
    "id": _OWN_ID,
    "organization_id": "5a3d8cf1-3aaf-4b56-a2e0-260b28c0a0d0",
    "organizationId": "5a3d8cf1-3aaf-4b56-a2e0-260b28c0a0d0",
    "workspace_id": "e9d00796-afb3-458e-ad85-64a1bdefe3aa",
    "workspaceId": "e9d00796-afb3-458e-ad85-64a1bdefe3aa",
    "owner_workspace_id": "e9d00796-afb3-458e-ad85-64a1bdefe3aa",
    "use_case_id": "0b9e7f6e-6f0e-4c53-8a43-1f7f1c1ad001",
    "capability": "sms",
    "capabilityName": "sms",
    "country": "US",
    "home_country": "US",
    "number": "+12025550123",
    "to_number": "+12025550123",
    "to_phone_number": "+12025550123",
    "account_sid": "AC" + "0" * 32,
    "messaging_service_sid": "MG" + "0" * 32,
    "message_sid": "SM" + "0" * 32,
    "url": "https://hooks.example.com/sms",
    "revision": 7,
    "from_revision": 6,
    "restored_revision": None,
    "name": "Retail",
    "reason": "The campaign in Canada starts",
}
_BY_KIND: tuple[tuple[type[fields.Field[Any]], Any], ...] = (
    (fields.UUID, _OWN_ID),
    (fields.Date, _AT[:10]),
    (fields.DateTime, _AT),
    (fields.Boolean, True),
    (fields.Integer, 1),
    (fields.Dict, {}),
)


def example_of(schema: type[Schema]) -> dict[str, Any]:
    """Optional request fields are left out."""
    found = {}
    for name, field in schema().fields.items():
        if field.required or "example" in field.metadata:
            found[field.data_key or name] = _value(name, field)
    return found


def parameter_example(name: str) -> Any:
    return _BY_NAME.get(name, _OWN_ID if name.endswith("_id") else None)


def _value(name: str, field: fields.Field[Any]) -> Any:
    if "example" in field.metadata:
        return field.metadata["example"]
    if isinstance(field, fields.Nested):
        return example_of(type(field.schema))
    if isinstance(field, fields.List):
        return [_value(name, field.inner)]
    return _plain_value(name, field)


def _plain_value(name: str, field: fields.Field[Any]) -> Any:
    choices = [one.choices for one in field.validators if isinstance(one, validate.OneOf)]
    if field.allow_none and (choices or name not in _BY_NAME):
        return None
    if choices:
        return next(iter(choices[0]))
    of_kind = (example for kind, example in _BY_KIND if isinstance(field, kind))
    return _BY_NAME.get(name, next(of_kind, name))
