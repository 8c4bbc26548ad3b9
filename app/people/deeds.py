"""The audit rows of what is done to people, and of attempts to get in as one of them."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, select

from app.access.actor import Actor
from app.access.audit import Deed, note_deed
from app.access.principal import ActorKind
from app.access.tables import organizations
from app.db.rows import AnyRow
from app.people.caller import Caller

FAILED = "console.sign_in_failed"


def note_user_deed(
    connection: Connection,
    actor: Actor,
    user: AnyRow,
    what: str,
    now: datetime,
    *,
    reason: str | None = None,
) -> None:
    """Write the audit row of a change of a person."""
    deed = Deed(user.organization_id, None, f"user.{what}", str(user.id), reason)
    note_deed(connection, actor, deed, now)


def note_failed_sign_in(
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
        deed = Deed(organization_id, None, FAILED, target, caller.said(why))
        note_deed(connection, actor, deed, now)
