"""Schemas of a file; unknown fields are refused by name."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from marshmallow import Schema, ValidationError, fields

from app.access.principal import Role
from app.access.schemas import NetworkText, RateBody
from app.destinations.policy.evaluate import Access
from app.kernel.clock import parse_rfc3339
from app.kernel.countries import is_country
from app.kernel.ids import parse_id
from app.provisioning.desired import ANY_DESTINATION
from app.use_cases.eligibility import BRAND_STATUSES, SenderType
from app.use_cases.unconfirmed import OnUnconfirmed
from app.web.setting_fields import Name, days, sid, status


class FileId(fields.Field[UUID]):
    """A UUID in its usual form."""

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> UUID:
        found = parse_id(value) if isinstance(value, str) else None
        if found is None:
            raise ValidationError("Must be a UUID.")
        return found


class Time(fields.Field[datetime]):
    """A time with its offset: a text as in RFC 3339, or TOML's own."""

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> datetime:
        try:
            return parse_rfc3339(value.isoformat() if isinstance(value, datetime) else value)
        except (TypeError, ValueError) as problem:
            raise ValidationError(
                "Must be a time with its offset, for example 2030-01-31T12:00:00Z."
            ) from problem


class Flag(fields.Field[bool]):
    """True or false, and nothing that merely looks like it."""

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("Must be true or false.")
        return value


def items() -> fields.List[Any]:
    """Return a field for a list whose items are read one by one, each with its place."""
    return fields.List(fields.Raw(allow_none=True))


_ACCESS = f"Must be one of: {', '.join(Access)}."


class FileCountry(fields.String):
    """A country code that a policy may name."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        code = super()._deserialize(value, *args, **kwargs)
        _check_country(code)
        return code


class Countries(fields.List[str]):
    """A list of country codes, without duplicates."""

    def __init__(self) -> None:
        super().__init__(FileCountry())

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return super()._deserialize(value, *args, **kwargs)
        except ValidationError as problem:
            wrong = problem.messages
            if not isinstance(wrong, dict):
                raise
            # Those beside a wrong one keep their index, by which a later mistake is placed.
            kept = ["" if index in wrong else code for index, code in enumerate(value)]
            raise ValidationError(wrong, valid_data=kept) from problem


class Restriction(Countries):
    """A list of country codes, or the word that lifts the restriction."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if value == ANY_DESTINATION:
            return value
        if isinstance(value, str):
            raise ValidationError(f'Must be a list of country codes, or "{ANY_DESTINATION}".')
        return super()._deserialize(value, *args, **kwargs)


class Destinations(fields.Field[dict[str, str]]):
    """A map from country codes to access."""

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> dict[str, str]:
        if not isinstance(value, Mapping):
            raise ValidationError("Must be a table of country codes.")
        wrong: dict[str, list[str]] = {}
        for code, access in value.items():
            try:
                _check_country(code)
            except ValidationError as problem:
                wrong.setdefault(code, []).extend(map(str, problem.messages))
            if access not in list(Access):
                wrong.setdefault(code, []).append(_ACCESS)
        right = {code: str(access) for code, access in value.items() if code not in wrong}
        if wrong:
            raise ValidationError(dict(wrong), valid_data=right)
        return right


def _check_country(code: str) -> None:
    if is_country(code):
        return
    if is_country(code.upper()):
        raise ValidationError(f"Country codes are in capitals: {code.upper()}.")
    raise ValidationError("Is not a country code: two capitals as in ISO 3166-1.")


class FileSchema(Schema):
    """The whole file."""

    organization = fields.Raw(required=True)
    workspaces = items()


class OrganizationSchema(Schema):
    """`[organization]`."""

    id = FileId()
    name = Name()
    denied_destinations = Countries()
    access_keys = items()


class WorkspaceSchema(Schema):
    """One of `[[workspaces]]`."""

    id = FileId()
    name = Name()
    home_country = FileCountry()
    parent = fields.String()
    twilio = fields.Raw()
    destinations = Destinations()
    acknowledge_high_risk = Flag()
    body_retention_days = days()
    number_retention_days = days()
    guards = fields.Raw()
    access_keys = items()
    use_cases = items()


class AccountSchema(Schema):
    """`twilio` of a workspace."""

    account_sid = sid("AC", may_be_empty=True)
    auth_token = fields.String()
    next_auth_token = fields.String()


class KeySchema(Schema):
    """One of `access_keys`."""

    name = Name(required=True)
    role = fields.Enum(Role, by_value=True, required=True)
    expires_at = Time()
    rate = fields.Nested(RateBody)
    use_cases = fields.List(fields.String())
    countries = Countries()
    source_networks = fields.List(NetworkText())


class UseCaseSchema(Schema):
    """One of `[[workspaces.use_cases]]`."""

    id = FileId()
    name = Name()
    messaging_service_sid = sid("MG", required=False)
    active = Flag()
    deleted = Flag()
    senders = items()
    brand = fields.Raw()
    campaign = fields.Raw()
    allowed_destinations = Restriction()
    guards = fields.Raw()
    on_unconfirmed = fields.Enum(OnUnconfirmed, by_value=True)


class BrandSchema(Schema):
    """`brand` of a use case."""

    sid = sid("BN", may_be_empty=True)
    status = status(BRAND_STATUSES)


class CampaignSchema(Schema):
    """`campaign` of a use case."""

    sid = sid("(QE|CM)", may_be_empty=True)
    status = status()


class SenderSchema(Schema):
    """One of `senders`."""

    number = fields.String(required=True)
    type = fields.Enum(SenderType, by_value=True, required=True)
