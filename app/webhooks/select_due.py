"""Fair selection of due deliveries, by reads only.

Every endpoint gets its first delivery before any gets its second, the longest waiting first; a
failing one gets one at a time. With one task per lane, healthy endpoints never wait for failing
ones.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from itertools import zip_longest
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, func, select, true

from app.db.rows import AnyRow
from app.web.metrics import MOST_COUNTED
from app.webhooks.tables import webhook_deliveries, webhook_endpoints


class DeliveryLane(StrEnum):
    """The endpoints to serve, by their last attempt."""

    EVERY = "every"
    HEALTHY = "healthy"
    FAILING = "failing"


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
        .where(endpoints.active, _in(lane))
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
    query = (
        select(deliveries.id)
        .where(deliveries.endpoint_id == endpoint_id, deliveries.due_at <= now)
        .order_by(deliveries.due_at)
        .limit(limit)
    )
    return connection.execute(query).scalars().all()


def _in(lane: DeliveryLane) -> ColumnElement[bool]:
    first_failed_at = webhook_endpoints.c.first_failed_at
    match lane:
        case DeliveryLane.EVERY:
            return true()
        case DeliveryLane.HEALTHY:
            return first_failed_at.is_(None)
        case DeliveryLane.FAILING:
            return first_failed_at.isnot(None)


def count_due(connection: Connection, now: datetime) -> int:
    deliveries = webhook_deliveries.c
    due = select(deliveries.id).where(deliveries.due_at <= now).limit(MOST_COUNTED).subquery()
    return int(connection.execute(select(func.count()).select_from(due)).scalar_one())
