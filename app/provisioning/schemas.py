"""Schemas of a file; unknown fields are refused by name."""

from marshmallow import Schema, fields

from app.access.roles import Role
from app.access.schemas import NetworkText, RateBody
from app.provisioning.country_fields import Countries, Country, Destinations, Restriction
from app.provisioning.fields import Flag, Id, Time, items
from app.use_cases.eligibility import BRAND_STATUSES, SenderType
from app.use_cases.unconfirmed import OnUnconfirmed
from app.web.setting_fields import Name, days, sid, status


class FileSchema(Schema):
    """The whole file."""

    organization = fields.Raw(required=True)
    workspaces = items()


class OrganizationSchema(Schema):
    """`[organization]`."""

    id = Id()
    name = Name()
    denied_destinations = Countries()
    access_keys = items()


class WorkspaceSchema(Schema):
    """One of `[[workspaces]]`."""

    id = Id()
    name = Name()
    home_country = Country()
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

    id = Id()
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
