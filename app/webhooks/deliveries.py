"""Deliveries of an endpoint with their attempts; replay."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, insert, select

from app.access.audit import record_workspace_event
from app.access.principal import Principal
from app.access.store import required, visible_to
from app.db.rows import AnyRow, PageFilter, equal, load_page
from app.kernel.errors import ValidationFailed
from app.kernel.ids import new_id
from app.webhooks.attempt import DeliveryState
from app.webhooks.tables import (
    webhook_attempts,
    webhook_deliveries,
    webhook_endpoints,
    webhook_events,
)


@dataclass(frozen=True, slots=True)
class DeliveryFilter(PageFilter):
    state: str | None = None


_DELIVERY: Select[*tuple[Any, ...]] = (
    select(
        webhook_deliveries,
        webhook_events.c.type,
        webhook_endpoints.c.workspace_id,
        webhook_endpoints.c.active,
    )
    .join_from(webhook_deliveries, webhook_events)
    .join(webhook_endpoints, webhook_endpoints.c.id == webhook_deliveries.c.endpoint_id)
)


def load_deliveries(
    connection: Connection, endpoint_id: UUID, wanted: DeliveryFilter
) -> list[AnyRow]:
    conditions = equal(wanted, webhook_deliveries, "state")
    query = _DELIVERY.where(webhook_deliveries.c.endpoint_id == endpoint_id, *conditions)
    return load_page(connection, query, webhook_deliveries, wanted)


def load_attempts(connection: Connection, delivery_ids: Iterable[UUID]) -> dict[UUID, list[AnyRow]]:
    columns = webhook_attempts.c
    query = (
        select(webhook_attempts)
        .where(columns.delivery_id.in_(list(delivery_ids)))
        .order_by(columns.id)
    )
    found: defaultdict[UUID, list[AnyRow]] = defaultdict(list)
    for row in connection.execute(query):
        found[row.delivery_id].append(row)
    return found


def new_delivery(event_id: UUID, endpoint_id: UUID, now: datetime) -> dict[str, Any]:
    return {
        "id": new_id(),
        "event_id": event_id,
        "endpoint_id": endpoint_id,
        "state": DeliveryState.PENDING,
        "attempts": 0,
        "due_at": now,
        "created_at": now,
    }


def replay_delivery(
    connection: Connection, principal: Principal, delivery_id: UUID, now: datetime
) -> AnyRow:
    """Deliver an event again, as a new delivery.

    Raises `NotFound`, and `ValidationFailed` for a disabled endpoint.
    """
    query = _DELIVERY.where(
        webhook_deliveries.c.id == delivery_id,
        visible_to(principal, webhook_endpoints.c.workspace_id),
    ).with_for_update(of=[webhook_endpoints, webhook_events], read=True, key_share=True)
    old = required(connection.execute(query).one_or_none())
    if not old.active:
        raise ValidationFailed({"$": ["The endpoint is disabled: enable it first."]})
    again = new_delivery(old.event_id, old.endpoint_id, now)
    connection.execute(insert(webhook_deliveries).values(**again))
    action = "webhook_delivery.replayed"
    record_workspace_event(connection, principal, old.workspace_id, action, now, target=old.id)
    return connection.execute(_DELIVERY.where(webhook_deliveries.c.id == again["id"])).one()
