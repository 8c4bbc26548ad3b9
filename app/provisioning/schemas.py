"""Schemas of a file; unknown fields are refused by name."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from marshmallow import Schema, ValidationError, fields, validates_schema

from app.access.api import NetworkText, RateBody
from app.access.principal import Role
from app.destinations.policy.evaluate import Access
from app.kernel.clock import parse_rfc3339
from app.kernel.countries import is_country
from app.use_cases.api import CheckedSender
from app.use_cases.rules import BRAND_STATUSES, OnUnconfirmed, SenderType
from app.web.fields import FlatMap, Id, Name, TrueOrFalse, days, sid, status

ANY_DESTINATION = "any"
_TABLE = "Must be a table of fields."


class Table(Schema):
    error_messages = {"type": _TABLE}  # noqa: RUF012


def table(schema: type[Table], **kwargs: Any) -> fields.Nested:
    return fields.Nested(schema, error_messages={"null": _TABLE}, **kwargs)


class Items(fields.List[Any]):
    """A list; the items after a wrong one keep their index."""

    def _deserialize(self, value: Any, *_args: Any, **kwargs: Any) -> Any:
        if not isinstance(value, list):
            raise self.make_error("invalid")
        found, wrong = [], {}
        for index, one in enumerate(value):
            try:
                found.append(self.inner.deserialize(one, **kwargs))
            except ValidationError as problem:
                wrong[index] = problem.messages
                found.append(problem.valid_data if isinstance(one, Mapping) else None)
        if wrong:
            raise ValidationError(dict(wrong), valid_data=found)
        return found


class FileTime(fields.Field[datetime]):
    """A time with its offset: an RFC 3339 text, or a TOML time."""

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> datetime:
        try:
            return parse_rfc3339(value.isoformat() if isinstance(value, datetime) else value)
        except (TypeError, ValueError) as problem:
            raise ValidationError(
                "Must be a time with its offset, for example 2030-01-31T12:00:00Z."
            ) from problem


class FileCountry(fields.String):
    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        code = super()._deserialize(value, *args, **kwargs)
        if is_country(code):
            return code
        if is_country(code.upper()):
            raise ValidationError(f"Country codes are in capitals: {code.upper()}.")
        raise ValidationError("Is not a country code: two capitals as in ISO 3166-1.")


class Restriction(Items):
    """A list of country codes, or the word that removes the restriction."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if value == ANY_DESTINATION:
            return value
        if isinstance(value, str):
            raise ValidationError(f'Must be a list of country codes, or "{ANY_DESTINATION}".')
        return super()._deserialize(value, *args, **kwargs)


class KeySchema(Table):
    """One of `access_keys`; an empty list removes a limit."""

    name = Name(required=True)
    role = fields.Enum(Role, by_value=True, required=True)
    expires_at = FileTime()
    rate = fields.Nested(RateBody)
    use_cases = fields.List(fields.String())
    countries = Items(FileCountry())
    source_networks = fields.List(NetworkText())


class AccountSchema(Table):
    """`twilio` of a workspace; an empty `account_sid` unlinks the account."""

    account_sid = sid("AC", may_be_empty=True)
    auth_token = fields.String()
    next_auth_token = fields.String()

    @validates_schema
    def _check_tokens(self, data: dict[str, Any], **_: Any) -> None:
        given = {"auth_token", "next_auth_token"} & data.keys()
        if given and not data.get("account_sid", True):
            text = "Must be left out where account_sid is empty."
            raise ValidationError({name: [text] for name in given})


class RegistrationSchema(Table):
    """A brand or a campaign; an empty `sid` removes it."""

    @validates_schema
    def _check_status(self, data: dict[str, Any], **_: Any) -> None:
        if "status" in data and not data.get("sid", True):
            raise ValidationError("Must be left out where sid is empty.", "status")


class BrandSchema(RegistrationSchema):
    sid = sid("BN", may_be_empty=True)
    status = status(BRAND_STATUSES)


class CampaignSchema(RegistrationSchema):
    sid = sid("(QE|CM)", may_be_empty=True)
    status = status()


class SenderSchema(Table, CheckedSender):
    number = fields.String(required=True)
    type = fields.Enum(SenderType, by_value=True, required=True)


class UseCaseSchema(Table):
    id = Id()
    name = Name()
    messaging_service_sid = sid("MG", required=False)
    active = TrueOrFalse()
    deleted = TrueOrFalse()
    senders = Items(table(SenderSchema))
    brand = table(BrandSchema)
    campaign = table(CampaignSchema)
    allowed_destinations = Restriction(FileCountry())
    guards = fields.Raw()
    on_unconfirmed = fields.Enum(OnUnconfirmed, by_value=True)


class WorkspaceSchema(Table):
    """One of `[[workspaces]]`; an empty `parent` removes the parent."""

    id = Id()
    name = Name()
    home_country = FileCountry()
    parent = fields.String()
    twilio = table(AccountSchema)
    destinations = FlatMap(
        keys=FileCountry(),
        values=fields.Enum(Access, by_value=True),
        error_messages={"invalid": "Must be a table of country codes."},
    )
    acknowledge_high_risk = TrueOrFalse()
    body_retention_days = days()
    number_retention_days = days()
    guards = fields.Raw()
    access_keys = Items(table(KeySchema))
    use_cases = Items(table(UseCaseSchema))


class OrganizationSchema(Table):
    id = Id()
    name = Name()
    denied_destinations = Items(FileCountry())
    access_keys = Items(table(KeySchema))


class FileSchema(Table):
    organization = table(OrganizationSchema, required=True)
    workspaces = Items(table(WorkspaceSchema))
