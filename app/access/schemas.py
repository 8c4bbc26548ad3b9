"""Wire schemas of access keys and the audit log."""

from typing import Any

from marshmallow import ValidationError, fields, post_load, validate

from app.access.audit import AuditFilter
from app.access.key_rules import KeyState
from app.access.keys import KeyFilter, NewAccessKey
from app.access.principal import ActorKind, KeyLimits, Role, parse_network
from app.kernel.rates import DEFAULT_RATE, MOST_BURST, MOST_PER_SECOND, rate_of
from app.web.fields import (
    Choice,
    Country,
    Id,
    Name,
    StrictSchema,
    Text,
    Time,
    Timestamp,
    View,
    about,
    one_of,
)
from app.web.pages import PageQuery, page_of


class NetworkText(Text):
    """A network in CIDR notation, or one address."""

    def read(self, text: str) -> Any:
        found = parse_network(text)
        if found is None:
            raise ValidationError("Must be a network in CIDR notation, such as 203.0.113.0/24.")
        return found


def rate_field(most: int, meaning: str) -> fields.Integer:
    bounds = validate.Range(min=1, max=most, error="Must be from {min} to {max}.")
    return fields.Integer(strict=True, validate=bounds, metadata=about(meaning))


class RateBody(StrictSchema):
    makes = rate_of
    per_second = rate_field(MOST_PER_SECOND, "Requests per second; 100 if it is left out")
    burst = rate_field(MOST_BURST, "Requests at once after a pause; twice per_second if left out")


class RateView(View):
    """The rate of an access key."""

    per_second = fields.Integer(metadata={"example": 100})
    burst = fields.Integer(metadata={"example": 200})


def _limit(inner: fields.Field[Any], meaning: str, **metadata: Any) -> fields.List[Any]:
    return fields.List(
        inner,
        load_default=None,
        allow_none=True,
        validate=validate.Length(min=1, max=250),
        metadata={"description": meaning, **metadata},
    )


class AccessKeyBody(StrictSchema):
    name = Name(required=True)
    role = Choice(Role, required=True)
    workspace_id = Id(load_default=None, allow_none=True)
    expires_at = Timestamp(load_default=None, allow_none=True)
    rate = fields.Nested(RateBody, load_default=DEFAULT_RATE)
    use_case_ids = _limit(Id(), "It sends through these use cases only")
    countries = _limit(Country(), "It sends to these countries only", example=["US", "CA"])
    source_networks = _limit(
        NetworkText(),
        "It is used from these networks only, in CIDR notation",
        example=["203.0.113.0/24"],
    )

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> NewAccessKey:
        ids, countries = data.pop("use_case_ids"), data.pop("countries")
        networks = data.pop("source_networks")
        limits = KeyLimits(
            use_case_ids=None if ids is None else frozenset(ids),
            countries=None if countries is None else frozenset(countries),
            source_networks=None if networks is None else tuple(networks),
        )
        return NewAccessKey(**data, limits=limits)


class AccessKeyListQuery(PageQuery):
    makes = KeyFilter
    workspace_id = Id()
    state = Choice(KeyState)


class AccessKeyView(View):
    """An access key without its token."""

    id = fields.UUID()
    organization_id = fields.UUID()
    workspace_id = fields.UUID(allow_none=True)
    name = fields.String()
    token_prefix = fields.String(
        allow_none=True, metadata=about("How the token begins", example="bp_00000")
    )
    role = fields.String(validate=one_of(Role))
    state = fields.String(validate=one_of(KeyState))
    created_at = Time()
    expires_at = Time(allow_none=True)
    revoked_at = Time(allow_none=True)
    rate = fields.Nested(RateView)
    use_case_ids = fields.List(fields.UUID(), allow_none=True)
    countries = fields.List(fields.String(), allow_none=True)
    source_networks = fields.List(fields.String(), allow_none=True)
    last_used_at = Time(allow_none=True)
    last_used_address = fields.String(allow_none=True)


class IssuedAccessKeyView(AccessKeyView):
    """A new access key with its token, which is shown only here."""

    token = fields.String(metadata={"example": f"bp_{'0' * 38}"})


AccessKeyPage = page_of(AccessKeyView, "A page of access keys, newest first.")


class AuditListQuery(PageQuery):
    makes = AuditFilter
    workspace_id = Id()
    action = Text(validate=validate.Length(min=1, max=60))
    actor_kind = Choice(ActorKind)
    actor_name = Text(
        validate=validate.Length(min=1, max=200), metadata=about("How the name begins, in any case")
    )
    created_after = Timestamp()
    created_before = Timestamp()


class AuditActorView(View):
    kind = fields.String(validate=one_of(ActorKind))
    id = fields.UUID(allow_none=True)
    name = fields.String()


class AuditEventView(View):
    id = fields.UUID()
    at = Time()
    workspace_id = fields.UUID(allow_none=True)
    actor = fields.Nested(AuditActorView)
    action = fields.String()
    target = fields.String(allow_none=True)
    reason = fields.String(allow_none=True)


AuditPage = page_of(AuditEventView, "A page of the audit, newest first.", "AuditPage")
