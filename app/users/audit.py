"""Audit events of changes to users and of failed sign-ins."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, select

from app.access.audit import AuditEvent, record_audit_event
from app.access.principal import Actor, ActorKind
from app.access.tables import organizations
from app.db.rows import AnyRow
from app.users.caller import Caller

SIGN_IN_FAILED = "console.sign_in_failed"


def record_user_event(
    connection: Connection,
    actor: Actor,
    user: AnyRow,
    what: str,
    now: datetime,
    *,
    reason: str | None = None,
) -> None:
    audit_event = AuditEvent(user.organization_id, None, f"user.{what}", str(user.id), reason)
    record_audit_event(connection, actor, audit_event, now)


def record_failed_sign_in(
    connection: Connection, users: Sequence[AnyRow], caller: Caller, why: str, now: datetime
) -> None:
    """Write the audit event of a failed sign-in, with address and request id.

    For an unknown account it belongs to the only organization; if there are several, none is
    written.
    """
    places: list[tuple[UUID, str | None]] = [(user.organization_id, str(user.id)) for user in users]
    if not users:
        found = connection.execute(select(organizations.c.id).limit(2)).scalars().all()
        places = [(one, None) for one in found if len(found) == 1]
    actor = Actor(ActorKind.SYSTEM, "sign-in")
    for organization_id, target in places:
        audit_event = AuditEvent(
            organization_id, None, SIGN_IN_FAILED, target, caller.describe_failure(why)
        )
        record_audit_event(connection, actor, audit_event, now)
