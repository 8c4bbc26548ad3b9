"""Routes of access keys and of the audit log, with their schemas."""

from datetime import datetime
from typing import Any
from uuid import UUID

from marshmallow import ValidationError, fields, post_load, validate

from app.access.audit import AuditFilter, load_audit_events
from app.access.guard import ADMIN, VIEWER, changing
from app.access.key_rules import KeyState, state_of
from app.access.keys import (
    KeyFilter,
    NewAccessKey,
    create_access_key,
    load_access_key,
    load_access_keys,
    revoke_access_key,
)
from app.access.principal import ActorKind, KeyLimits, Principal, Role, limits_from, parse_network
from app.db.rows import AnyRow
from app.kernel import errors as e
from app.kernel.rates import MOST_BURST, MOST_PER_SECOND, Rate, rate_of
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
from app.web.pages import PageQuery, page, page_of
from app.web.registry import current_time, reading
from app.web.routes import Json, Routes

routes = Routes("Access keys")
PATH = "/v1/access-keys"
ONE = PATH + "/{access_key_id}"
audit_routes = Routes("Audit")
_ABSENT = (e.NotFound,)


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
    rate = fields.Nested(RateBody, load_default=None)
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


@routes.add("GET", "/v1/me", VIEWER, {200: AccessKeyView})
def get_me(principal: Principal) -> Json:
    """Show the access key of this request."""
    with reading() as connection:
        row = load_access_key(connection, principal, principal.key_id)
    return render_access_key(row, current_time())


@routes.add("GET", PATH, VIEWER, {200: AccessKeyPage}, query=AccessKeyListQuery)
def list_access_keys(principal: Principal, query: KeyFilter) -> Json:
    """List access keys, newest first; tokens are never shown."""
    now = current_time()
    with reading() as connection:
        found = load_access_keys(connection, principal, query, now)
    return page(found, query.limit, lambda row: render_access_key(row, now))


@routes.add("POST", PATH, ADMIN, {201: IssuedAccessKeyView}, body=AccessKeyBody)
def post_access_key(principal: Principal, body: NewAccessKey) -> Json:
    """Create an access key; its token is shown only in this answer."""
    with changing(principal) as change:
        made = create_access_key(change, body)
    return render_access_key(made.row, change.now) | {"token": made.token}


@routes.add("GET", ONE, VIEWER, {200: AccessKeyView}, errors=_ABSENT)
def get_access_key(principal: Principal, access_key_id: UUID) -> Json:
    """Show one access key."""
    with reading() as connection:
        row = load_access_key(connection, principal, access_key_id)
    return render_access_key(row, current_time())


@routes.add("DELETE", ONE, ADMIN, {204: None}, errors=_ABSENT)
def delete_access_key(principal: Principal, access_key_id: UUID) -> None:
    """Revoke an access key from its next request on; it stays in the list."""
    with changing(principal) as change:
        revoke_access_key(change, access_key_id)


def render_access_key(row: AnyRow, now: datetime) -> dict[str, Any]:
    return AccessKeyView.write(
        row,
        state=state_of(row.revoked_at, row.expires_at, now),
        rate=Rate(row.rate_per_second, row.rate_burst),
        **limits_from(row.limits).as_json(),
    )


@audit_routes.add("GET", "/v1/audit-events", ADMIN, {200: AuditPage}, query=AuditListQuery)
def list_audit_events(principal: Principal, query: AuditFilter) -> Json:
    """List audit events, newest first."""
    with reading() as connection:
        found = load_audit_events(connection, principal, query)
    return page(found, query.limit, render_audit_event)


def render_audit_event(row: AnyRow) -> dict[str, Any]:
    actor = {"kind": row.actor_kind, "id": row.actor_id, "name": row.actor_name}
    return AuditEventView.write(row, actor=actor)
