"""SQL that chooses due deliveries and claims them.

Every endpoint gets its first delivery before any gets its second; a failing one gets one at a time,
in a lane of its own. A claim moves `due_at` forward by a lease. The end of the lease proves that
the claim still holds when the result is written.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import zip_longest
from uuid import UUID

from sqlalchemy import Connection, func, select, true, update

from app.db.rows import AnyRow, from_row
from app.web.metrics import MOST_COUNTED
from app.webhooks.tables import webhook_deliveries, webhook_endpoints, webhook_events

DELIVERY_LEASE = timedelta(seconds=45)


class DeliveryLane(StrEnum):
    """The endpoints to serve, by their last attempt."""

    EVERY = "every"
    HEALTHY = "healthy"
    FAILING = "failing"


_OF_LANE = {
    DeliveryLane.EVERY: true(),
    DeliveryLane.HEALTHY: webhook_endpoints.c.first_failed_at.is_(None),
    DeliveryLane.FAILING: webhook_endpoints.c.first_failed_at.isnot(None),
}


def choose_due(
    connection: Connection, now: datetime, limit: int, lane: DeliveryLane = DeliveryLane.EVERY
) -> list[UUID]:
    queues = [
        _oldest(connection, endpoint.id, now, limit if endpoint.first_failed_at is None else 1)
        for endpoint in _waiting(connection, now, limit, lane)
    ]
    return round_robin(queues, limit)


def round_robin(queues: Iterable[Sequence[UUID]], limit: int) -> list[UUID]:
    """Take the first of every queue, then the second, and so on. Pure."""
    rounds = zip_longest(*queues)
    return [one for each in rounds for one in each if one is not None][:limit]


def _waiting(
    connection: Connection, now: datetime, limit: int, lane: DeliveryLane
) -> Sequence[AnyRow]:
    """A failing endpoint has waited since its last attempt."""
    endpoints, deliveries = webhook_endpoints.c, webhook_deliveries.c
    oldest = (
        select(func.min(deliveries.due_at, type_=deliveries.due_at.type))
        .where(deliveries.endpoint_id == endpoints.id, deliveries.due_at <= now)
        .scalar_subquery()
    )
    found = (
        select(endpoints.id, endpoints.first_failed_at, endpoints.last_failed_at)
        .add_columns(oldest.label("oldest"))
        .where(endpoints.active, _OF_LANE[lane])
        .subquery()
    )
    query = (
        select(found.c.id, found.c.first_failed_at)
        .where(found.c.oldest.isnot(None))
        .order_by(func.coalesce(found.c.last_failed_at, found.c.oldest), found.c.id)
        .limit(limit)
    )
    return connection.execute(query).all()


def _oldest(connection: Connection, endpoint_id: UUID, now: datetime, limit: int) -> Sequence[UUID]:
    deliveries = webhook_deliveries.c
    due = deliveries.endpoint_id == endpoint_id, deliveries.due_at <= now
    query = select(deliveries.id).where(*due).order_by(deliveries.due_at).limit(limit)
    return connection.execute(query).scalars().all()


def count_due(connection: Connection, now: datetime) -> int:
    deliveries = webhook_deliveries.c
    due = select(deliveries.id).where(deliveries.due_at <= now).limit(MOST_COUNTED).subquery()
    return int(connection.execute(select(func.count()).select_from(due)).scalar_one())


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
    still_due = select(deliveries.id).where(deliveries.id.in_(chosen), deliveries.due_at <= now)
    due = still_due.with_for_update(skip_locked=True).cte("due")
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
            webhook_events.c.type.label("event_type"),
            webhook_events.c.payload.label("data"),
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
        from_row(
            DueDelivery,
            row,
            delivery_id=row.id,
            leased_until=leased_until,
            encrypted_secrets=_live_secrets(row, now),
        )
        for row in connection.execute(query)
    ]


def _live_secrets(row: AnyRow, now: datetime) -> tuple[str, ...]:
    if row.previous_secret is None or row.previous_secret_until <= now:
        return (row.secret,)
    return (row.secret, row.previous_secret)
