"""The outbox: an event is written in the transaction of its change.

A workspace without an active endpoint gets no row; the condition is part of the statement.
app.webhooks.fan_out chooses the endpoints.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from app.db.statement import Statement
from app.kernel.ids import new_id
from app.webhooks.events import EventType

_COLUMNS = "id, workspace_id, type, payload, created_at, to_number"


def outbox_insert(found: str) -> str:
    """Write the INSERT of the events that a SELECT gives, for workspaces that want to be told.

    The SELECT gives, by name: id, workspace_id, type, payload (data as JSON text), created_at, and
    to_number, the number that the data names. The INSERT may stand by itself or, on PostgreSQL, in
    a CTE of a larger statement.
    """
    return f"""INSERT INTO webhook_events ({_COLUMNS})
  SELECT {_COLUMNS} FROM ({found}) AS event
  WHERE EXISTS (SELECT 1 FROM webhook_endpoints AS endpoint
    WHERE endpoint.workspace_id = event.workspace_id AND endpoint.active)"""


_ONE = Statement(
    outbox_insert(
        """SELECT :id::uuid AS id, :workspace_id::uuid AS workspace_id, :type::text AS type,
    :payload::text AS payload, :created_at::timestamptz AS created_at,
    :to_number::text AS to_number"""
    )
)


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
    return _ONE.run(connection, row) == 1
