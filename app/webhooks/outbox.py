"""The outbox: an event is written in the transaction of its change.

A workspace without an active endpoint gets no row; the condition is part of the statement.
app.webhooks.fan_out chooses the endpoints.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Connection,
    Insert,
    Select,
    String,
    Text,
    Uuid,
    bindparam,
    exists,
    insert,
    select,
)

from app.db.types import UtcDateTime
from app.kernel.ids import new_id
from app.webhooks.events import EventType
from app.webhooks.tables import webhook_endpoints, webhook_events

_COLUMNS = ("id", "workspace_id", "type", "payload", "created_at", "to_number")


def outbox_insert(found: Select[*tuple[Any, ...]]) -> Insert:
    """Build the INSERT of the events that a SELECT gives, for workspaces that want to be told.

    The SELECT gives, by place: event id, workspace id, type, data as JSON text, time and, where the
    data names a number, that number. The INSERT may stand by itself or, on PostgreSQL, in a CTE of
    a larger statement (`Select.add_cte`).
    """
    given = found.subquery("given_events")
    columns = list(given.c)
    wanted = exists().where(
        webhook_endpoints.c.workspace_id == columns[1], webhook_endpoints.c.active
    )
    return insert(webhook_events).from_select(
        _COLUMNS[: len(columns)], select(*columns).where(wanted)
    )


_ONE = outbox_insert(
    select(
        bindparam("event_id", type_=Uuid()).label("id"),
        bindparam("event_workspace_id", type_=Uuid()).label("workspace_id"),
        bindparam("event_type", type_=String()).label("type"),
        bindparam("event_payload", type_=Text()).label("payload"),
        bindparam("event_at", type_=UtcDateTime()).label("created_at"),
        bindparam("event_to_number", type_=String()).label("to_number"),
    )
).returning(webhook_events.c.id)


def event_row(
    workspace_id: UUID, event_type: EventType, data: Mapping[str, Any], now: datetime
) -> dict[str, Any]:
    """Return the values of one row of `webhook_events`; ``data`` must be JSON already."""
    return {
        "id": new_id(),
        "workspace_id": workspace_id,
        "type": event_type.value,
        "payload": json.dumps(data, separators=(",", ":"), ensure_ascii=False),
        "to_number": data.get("to_number"),
        "created_at": now,
    }


def add_event(
    connection: Connection,
    workspace_id: UUID,
    event_type: EventType,
    data: Mapping[str, Any],
    now: datetime,
) -> bool:
    """Write an event in the caller's transaction; False if the workspace has no endpoint."""
    row = event_row(workspace_id, event_type, data, now)
    values = {
        "event_id": row["id"],
        "event_workspace_id": row["workspace_id"],
        "event_type": row["type"],
        "event_payload": row["payload"],
        "event_to_number": row["to_number"],
        "event_at": row["created_at"],
    }
    return connection.execute(_ONE, values).one_or_none() is not None
