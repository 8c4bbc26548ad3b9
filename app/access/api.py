"""Routes of access keys and of the audit log."""

from datetime import datetime
from typing import Any
from uuid import UUID

from app.access.audit import AuditFilter, load_audit_events
from app.access.guard import ADMIN, VIEWER
from app.access.key_rules import state_of
from app.access.keys import (
    KeyFilter,
    NewAccessKey,
    create_access_key,
    load_access_key,
    load_access_keys,
    revoke_access_key,
)
from app.access.principal import Principal, limits_from
from app.access.schemas import (
    AccessKeyBody,
    AccessKeyListQuery,
    AccessKeyPage,
    AccessKeyView,
    AuditEventView,
    AuditListQuery,
    AuditPage,
    IssuedAccessKeyView,
)
from app.db.rows import AnyRow
from app.kernel import errors as e
from app.kernel.rates import Rate
from app.web.pages import page
from app.web.registry import current_time, reading, writing
from app.web.routes import Json, Routes

routes = Routes("Access keys")
PATH = "/v1/access-keys"
ONE = PATH + "/{access_key_id}"
_ABSENT = (e.NotFound,)


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
    with writing() as (connection, now):
        made = create_access_key(connection, principal, body, now=now)
    return render_access_key(made.row, now) | {"token": made.token}


@routes.add("GET", ONE, VIEWER, {200: AccessKeyView}, errors=_ABSENT)
def get_access_key(principal: Principal, access_key_id: UUID) -> Json:
    """Show one access key."""
    with reading() as connection:
        row = load_access_key(connection, principal, access_key_id)
    return render_access_key(row, current_time())


@routes.add("DELETE", ONE, ADMIN, {204: None}, errors=_ABSENT)
def delete_access_key(principal: Principal, access_key_id: UUID) -> None:
    """Revoke an access key from its next request on; it stays in the list."""
    with writing() as (connection, now):
        revoke_access_key(connection, principal, access_key_id, now=now)


def render_access_key(row: AnyRow, now: datetime) -> dict[str, Any]:
    return AccessKeyView.write(
        row,
        state=state_of(row.revoked_at, row.expires_at, now),
        rate=Rate(row.rate_per_second, row.rate_burst),
        **limits_from(row.limits).as_json(),
    )


audit_routes = Routes("Audit")


@audit_routes.add("GET", "/v1/audit-events", ADMIN, {200: AuditPage}, query=AuditListQuery)
def list_audit_events(principal: Principal, query: AuditFilter) -> Json:
    """List audit events, newest first."""
    with reading() as connection:
        found = load_audit_events(connection, principal, query)
    return page(found, query.limit, render_audit_event)


def render_audit_event(row: AnyRow) -> dict[str, Any]:
    actor = {"kind": row.actor_kind, "id": row.actor_id, "name": row.actor_name}
    return AuditEventView.write(row, actor=actor)
