"""SQL of claimed deliveries: a claim moves `due_at` forward by a lease.

The lease of a dead worker expires. When the result is written, the end of the lease proves that the
claim still holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, select, update

from app.db.rows import AnyRow
from app.webhooks.tables import webhook_deliveries, webhook_endpoints, webhook_events

DELIVERY_LEASE = timedelta(seconds=45)


@dataclass(frozen=True, slots=True)
class DueDelivery:
    delivery_id: UUID
    event_id: UUID
    endpoint_id: UUID
    event_type: str
    event_at: datetime
    attempts: int
    leased_until: datetime
    url: str = field(repr=False)
    data: str = field(repr=False)
    encrypted_secrets: tuple[str, ...] = field(repr=False)


def claim_chosen(
    connection: Connection, chosen: Sequence[UUID], now: datetime
) -> list[DueDelivery]:
    """Skips deliveries that another worker has claimed."""
    leased_until = now + DELIVERY_LEASE
    deliveries = webhook_deliveries.c
    due = (
        select(deliveries.id)
        .where(deliveries.id.in_(chosen), deliveries.due_at <= now)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    claimed = connection.execute(
        update(webhook_deliveries)
        .where(deliveries.id.in_(select(due.c.id)))
        .values(due_at=leased_until)
        .returning(deliveries.id)
    )
    ids = list(claimed.scalars())
    return _load(connection, ids, now, leased_until) if ids else []


def _load(
    connection: Connection, ids: list[UUID], now: datetime, leased_until: datetime
) -> list[DueDelivery]:
    query = (
        select(
            webhook_deliveries,
            webhook_events.c.type,
            webhook_events.c.payload,
            webhook_events.c.created_at.label("event_at"),
            webhook_endpoints.c.url,
            webhook_endpoints.c.secret,
            webhook_endpoints.c.previous_secret,
            webhook_endpoints.c.previous_secret_until,
        )
        .join_from(webhook_deliveries, webhook_events)
        .join(webhook_endpoints, webhook_endpoints.c.id == webhook_deliveries.c.endpoint_id)
        .where(webhook_deliveries.c.id.in_(ids))
        .order_by(webhook_deliveries.c.id)
    )
    return [
        DueDelivery(
            delivery_id=row.id,
            event_id=row.event_id,
            endpoint_id=row.endpoint_id,
            event_type=row.type,
            event_at=row.event_at,
            attempts=row.attempts,
            leased_until=leased_until,
            url=row.url,
            data=row.payload,
            encrypted_secrets=_live_secrets(row, now),
        )
        for row in connection.execute(query)
    ]


def _live_secrets(row: AnyRow, now: datetime) -> tuple[str, ...]:
    if row.previous_secret is None or row.previous_secret_until <= now:
        return (row.secret,)
    return (row.secret, row.previous_secret)
