"""The audit rows of what is done to people, and of attempts to get in as one of them."""

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
    """Write the audit row of a change of a person."""
    audit_event = AuditEvent(user.organization_id, None, f"user.{what}", str(user.id), reason)
    record_audit_event(connection, actor, audit_event, now)


def record_failed_sign_in(
    connection: Connection, users: Sequence[AnyRow], caller: Caller, why: str, now: datetime
) -> None:
    """Write the audit row of a failed attempt, with its address and request id.

    It stands in the organization of the account that it was for. An attempt for no account stands
    in the only organization; where there are several, it belongs to none of them.
    """
    places: list[tuple[UUID, str | None]] = [(user.organization_id, str(user.id)) for user in users]
    if not users:
        found = connection.execute(select(organizations.c.id).limit(2)).scalars().all()
        places = [(one, None) for one in found if len(found) == 1]
    actor = Actor(ActorKind.SYSTEM, "sign-in")
    for organization_id, target in places:
        audit_event = AuditEvent(organization_id, None, SIGN_IN_FAILED, target, caller.said(why))
        record_audit_event(connection, actor, audit_event, now)
