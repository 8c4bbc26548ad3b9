"""The outbox: an event is written in the transaction of its change, and deleted when it expires.

A workspace without an active endpoint gets no row. The body has Standard Webhooks' envelope.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, delete, select, update

from app.access.tables import workspaces
from app.db.clock import require_same_time
from app.db.engine import Database
from app.db.statement import Statement
from app.kernel.clock import Clock, rfc3339
from app.kernel.ids import first_id_at, new_id
from app.kernel.phone import PhoneNumber
from app.webhooks.tables import webhook_endpoints, webhook_events

SMS_FIELDS = (
    "id",
    "workspace_id",
    "use_case_id",
    "status",
    "error_code",
    "to_number",
    "from_number",
    "num_segments",
    "handed_off_at",
    "delivered_at",
    "errored_at",
)
_IN_UTC = "to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"
_COLUMNS = "id, workspace_id, type, payload, created_at, to_number"
KEPT_DAYS = 30
EVENT_BATCH = 200


class EventType(StrEnum):
    SMS_SENT = "sms.sent"
    SMS_DELIVERED = "sms.delivered"
    SMS_UNDELIVERED = "sms.undelivered"
    SMS_FAILED = "sms.failed"
    DESTINATION_CHANGED = "destination.changed"
    DESTINATION_DRIFT = "destination.drift"
    GUARD_TRIPPED = "guard.tripped"
    GUARD_CLEARED = "guard.cleared"
    DELIVERY_COLLAPSED = "delivery.collapsed"
    ENDPOINT_FAILING = "endpoint.failing"
    GEO_DRIFT = "geo.drift"
    REFUSALS_SPIKED = "refusals.spiked"
    CLOCK_DIFFERS = "clock.differs"
    WORKER_STUCK = "worker.stuck"


def message_text(event_type: str, at: datetime, data: str) -> str:
    """``data`` is the stored text, so that every attempt sends the same bytes."""
    return f'{{"type":"{event_type}","timestamp":"{rfc3339(at)}","data":{data}}}'


def sms_data(row: Any) -> dict[str, Any]:
    return {name: _written(getattr(row, name)) for name in SMS_FIELDS}


def _written(value: Any) -> Any:
    if isinstance(value, datetime):
        return rfc3339(value)
    return str(value) if isinstance(value, UUID | str) else value


def sms_json(table: str) -> str:
    """Return the SQL of `sms_data` as JSON text, for the row of a table (PostgreSQL)."""
    fields = ", ".join(
        f"{_IN_UTC.format(f'{table}.{name}')} AS {name}"
        if name.endswith("_at")
        else f"{table}.{name}"
        for name in SMS_FIELDS
    )
    return f"(SELECT row_to_json(data)::text FROM (SELECT {fields}) AS data)"


def has_endpoint(table: str) -> str:
    """Return the SQL condition that the workspace of a row has an active endpoint."""
    return f"""EXISTS (SELECT 1 FROM webhook_endpoints AS endpoint
    WHERE endpoint.workspace_id = {table}.workspace_id AND endpoint.active)"""


def outbox_insert(found: str) -> str:
    """Return the INSERT of a SELECT's events, for workspaces with an active endpoint.

    The SELECT has the columns id, workspace_id, type, payload (data as JSON text), created_at,
    and to_number, the number in the data. On PostgreSQL it may be part of a CTE.
    """
    return f"""INSERT INTO webhook_events ({_COLUMNS})
  SELECT {_COLUMNS} FROM ({found}) AS event
  WHERE {has_endpoint("event")}"""


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
    """``data`` must be JSON already."""
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
    """Write an event; return False if the workspace has no endpoint."""
    row = event_row(workspace_id, event_type, data, now)
    return _ONE.run(connection, row) == 1


@dataclass(frozen=True, slots=True)
class PurgeWebhooks:
    """Deletes expired events with deliveries and attempts, and expired secrets."""

    database: Database
    clock: Clock

    def __call__(self) -> int:
        """Delete in small batches; return the number of events. Raises `ClocksDiffer`."""
        require_same_time(self.database)
        now = self.clock.now()
        with self.database.reading() as connection:
            kept = connection.execute(
                select(workspaces.c.id, workspaces.c.number_retention_days)
            ).all()
        with self.database.writing() as connection:
            _forget_secrets(connection, now)
        total = 0
        for row in kept:
            days = min(KEPT_DAYS, row.number_retention_days)
            total += self._purge(row.id, first_id_at(now - timedelta(days=days)))
        return total

    def _purge(self, workspace_id: UUID, before: UUID) -> int:
        columns, total = webhook_events.c, 0
        old = select(columns.id).where(columns.workspace_id == workspace_id, columns.id < before)
        batch = old.order_by(columns.id).limit(EVENT_BATCH)
        while True:
            with self.database.writing() as connection:
                ids = list(connection.execute(batch).scalars())
                if ids:
                    connection.execute(delete(webhook_events).where(columns.id.in_(ids)))
            total += len(ids)
            if len(ids) < EVENT_BATCH:
                return total


def _forget_secrets(connection: Connection, now: datetime) -> None:
    connection.execute(
        update(webhook_endpoints)
        .where(webhook_endpoints.c.previous_secret_until <= now)
        .values(previous_secret=None, previous_secret_until=None)
    )


def erase_events(connection: Connection, number: PhoneNumber) -> int:
    """Delete every event with a number in it; return how many.

    Events other than those of messages, which may quote it, are searched without an index.
    """
    columns = webhook_events.c
    quoting = columns.payload.contains(f'"{number}"', autoescape=True)
    erased = connection.execute(delete(webhook_events).where(columns.to_number == number)).rowcount
    others = delete(webhook_events).where(columns.to_number.is_(None), quoting)
    return erased + connection.execute(others).rowcount
