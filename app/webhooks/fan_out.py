"""Creates deliveries of outbox events: one for each active, subscribed endpoint."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from app.db.rows import AnyRow
from app.kernel.ids import new_id
from app.webhooks.attempt import DeliveryState
from app.webhooks.tables import webhook_deliveries, webhook_endpoints, webhook_events

FAN_OUT_BATCH = 200


def is_waiting(connection: Connection) -> bool:
    """Whether the outbox has events, without blocking writers."""
    query = select(webhook_events.c.id).where(webhook_events.c.fanned_out_at.is_(None))
    return connection.execute(query.limit(1)).one_or_none() is not None


def fan_out(connection: Connection, now: datetime) -> int:
    """Process the oldest waiting events; return their number."""
    columns = webhook_events.c
    events = connection.execute(
        select(columns.id, columns.workspace_id, columns.type, columns.created_at)
        .where(columns.fanned_out_at.is_(None))
        .order_by(columns.id)
        .limit(FAN_OUT_BATCH)
        .with_for_update(skip_locked=True)
    ).all()
    if not events:
        return 0
    rows = _deliveries(events, _endpoints(connection, events), now)
    if rows:
        connection.execute(insert(webhook_deliveries), rows)
    done = [event.id for event in events]
    connection.execute(update(webhook_events).where(columns.id.in_(done)).values(fanned_out_at=now))
    return len(events)


def _endpoints(connection: Connection, events: Sequence[AnyRow]) -> Sequence[AnyRow]:
    columns = webhook_endpoints.c
    # The lock only prevents that they are deleted before their deliveries exist.
    query = (
        select(columns.id, columns.workspace_id, columns.events, columns.created_at)
        .where(columns.workspace_id.in_({event.workspace_id for event in events}), columns.active)
        .order_by(columns.id)
        .with_for_update(read=True, key_share=True)
    )
    return connection.execute(query).all()


def _deliveries(
    events: Sequence[AnyRow], endpoints: Sequence[AnyRow], now: datetime
) -> list[dict[str, Any]]:
    return [
        {
            "id": new_id(),
            "event_id": event.id,
            "endpoint_id": endpoint.id,
            "state": DeliveryState.PENDING,
            "attempts": 0,
            "due_at": now,
            "created_at": now,
        }
        for event in events
        for endpoint in endpoints
        if endpoint.workspace_id == event.workspace_id
        and event.type in endpoint.events
        and endpoint.created_at <= event.created_at
    ]
