"""Changes of an endpoint's row, with the audit event; the caller has locked the row."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, update

from app.access.actor import Actor
from app.db.rows import AnyRow
from app.webhooks.disable import disable_endpoint, note_endpoint_deed
from app.webhooks.tables import webhook_endpoints

BY_HAND = "Disabled by hand."


def change_fields(
    connection: Connection, row: AnyRow, wanted: Mapping[str, Any], actor: Actor, now: datetime
) -> None:
    """Change the URL or the events, if they differ; both are already validated."""
    given = {name: wanted[name] for name in ("url", "events") if name in wanted}
    if "events" in given:
        given["events"] = ordered(given["events"])
    changed = {name: value for name, value in given.items() if value != getattr(row, name)}
    if changed:
        update_endpoint(connection, row, **changed, updated_at=now)
        # The names alone: a URL may hold a secret of the receiver's.
        names = ", ".join(sorted(changed))
        note_endpoint_deed(connection, row, "changed", actor, now, reason=names)


def switch(connection: Connection, row: AnyRow, actor: Actor, now: datetime) -> None:
    """Disable an active endpoint, or enable one that is not; its failures are forgotten then."""
    if row.active:
        disable_endpoint(connection, row, BY_HAND, actor, now)
        return
    update_endpoint(
        connection,
        row,
        active=True,
        disabled_at=None,
        disabled_reason=None,
        first_failed_at=None,
        last_failed_at=None,
        updated_at=now,
    )
    note_endpoint_deed(connection, row, "enabled", actor, now)


def update_endpoint(connection: Connection, row: AnyRow, **values: Any) -> None:
    """Write some columns of an endpoint."""
    connection.execute(
        update(webhook_endpoints).where(webhook_endpoints.c.id == row.id).values(**values)
    )


def ordered(events: list[str]) -> list[str]:
    """Return the names of events in one order, each once."""
    return sorted(set(events))
