"""SQL of the deliveries that are due, claimed by moving `due_at` ahead by a lease.

A worker that dies lets the lease run out, and another takes over. The lease's end also proves, when
the outcome is written, that the claim still holds.

Every endpoint gets its first delivery before any gets its second, and one that fails gets only one
at a time: a dead receiver with a long queue costs the others nothing but that one attempt. Lanes go
further: with one worker task for each, the healthy never wait for a receiver that does not answer.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, func, or_, select, true, update

from app.db.rows import AnyRow
from app.webhooks.tables import webhook_deliveries, webhook_endpoints, webhook_events

LEASE = timedelta(seconds=45)


class Lane(StrEnum):
    """Which endpoints' deliveries are taken: by how their last attempt went."""

    EVERY = "every"
    HEALTHY = "healthy"
    FAILING = "failing"


@dataclass(frozen=True, slots=True)
class DueDelivery:
    """A claimed delivery and all that is needed to make the attempt."""

    delivery_id: UUID
    event_id: UUID
    endpoint_id: UUID
    event_type: str
    event_at: datetime
    attempts: int
    leased_until: datetime
    url: str = field(repr=False)
    data: str = field(repr=False)
    sealed_secrets: tuple[str, ...] = field(repr=False)


def is_due(connection: Connection, now: datetime, lane: Lane) -> bool:
    """Say whether anything waits, without keeping writers waiting."""
    query = (
        select(webhook_deliveries.c.id)
        .join(webhook_endpoints)
        .where(webhook_deliveries.c.due_at <= now, _in(lane))
    )
    return connection.execute(query.limit(1)).one_or_none() is not None


def claim_due(
    connection: Connection, now: datetime, limit: int, lane: Lane = Lane.EVERY
) -> list[DueDelivery]:
    """Claim up to ``limit`` deliveries whose time has come."""
    leased_until = now + LEASE
    deliveries = webhook_deliveries.c
    due = (
        select(deliveries.id)
        .where(deliveries.id.in_(_fair_choice(now, limit, lane)), deliveries.due_at <= now)
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


def _fair_choice(now: datetime, limit: int, lane: Lane) -> Any:
    deliveries = webhook_deliveries.c
    in_turn = func.row_number().over(
        partition_by=deliveries.endpoint_id, order_by=(deliveries.due_at, deliveries.id)
    )
    ranked = (
        select(
            deliveries.id,
            deliveries.due_at,
            webhook_endpoints.c.first_failed_at,
            in_turn.label("place"),
        )
        .join_from(webhook_deliveries, webhook_endpoints)
        .where(deliveries.due_at <= now, _in(lane))
        .subquery()
    )
    chosen = (
        select(ranked.c.id)
        .where(or_(ranked.c.first_failed_at.is_(None), ranked.c.place == 1))
        .order_by(ranked.c.place, ranked.c.due_at)
        .limit(limit)
        .subquery()
    )
    return select(chosen.c.id)


def _in(lane: Lane) -> ColumnElement[bool]:
    first_failed_at = webhook_endpoints.c.first_failed_at
    match lane:
        case Lane.EVERY:
            return true()
        case Lane.HEALTHY:
            return first_failed_at.is_(None)
        case Lane.FAILING:
            return first_failed_at.isnot(None)


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
            sealed_secrets=_live_secrets(row, now),
        )
        for row in connection.execute(query)
    ]


def _live_secrets(row: AnyRow, now: datetime) -> tuple[str, ...]:
    if row.previous_secret is None or row.previous_secret_until <= now:
        return (row.secret,)
    return (row.secret, row.previous_secret)
