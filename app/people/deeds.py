"""The audit rows of what is done to people."""

from datetime import datetime

from sqlalchemy import Connection

from app.access.actor import Actor
from app.access.audit import Deed, note_deed
from app.db.rows import AnyRow


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
