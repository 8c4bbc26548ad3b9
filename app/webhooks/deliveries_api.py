"""Routes that list and replay deliveries."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from app.access.guard import ADMIN, VIEWER
from app.access.principal import Principal, actor_of
from app.db.engine import Database
from app.db.rows import AnyRow
from app.kernel import errors as e
from app.kernel.clock import Clock, rfc3339
from app.web.pages import page
from app.web.registry import get_service
from app.web.routes import Json, Routes
from app.webhooks.deliveries import (
    DeliveryFilter,
    load_attempts,
    load_deliveries,
    replay_delivery,
)
from app.webhooks.endpoints import load_endpoint
from app.webhooks.schemas import DeliveryListQuery, DeliveryPage, DeliveryView

routes = Routes("Webhooks")


@routes.add(
    "GET",
    "/v1/webhook-endpoints/{endpoint_id}/deliveries",
    VIEWER,
    {200: DeliveryPage},
    query=DeliveryListQuery,
    errors=(e.NotFound,),
)
def list_webhook_deliveries(principal: Principal, endpoint_id: UUID, query: DeliveryFilter) -> Json:
    """List an endpoint's deliveries with every attempt, newest first."""
    with get_service(Database).reading() as connection:
        load_endpoint(connection, principal, endpoint_id)
        found = load_deliveries(connection, endpoint_id, query)
        attempts = load_attempts(connection, [row.id for row in found])

    def shown(row: AnyRow) -> dict[str, Any]:
        return render_delivery(row, attempts.get(row.id, ()))

    return page(found, query.limit, shown)


@routes.add(
    "POST",
    "/v1/webhook-deliveries/{delivery_id}/replay",
    ADMIN,
    {201: DeliveryView},
    errors=(e.NotFound, e.ValidationFailed),
)
def replay_webhook_delivery(principal: Principal, delivery_id: UUID) -> Json:
    """Send an event to its endpoint once more, as a new delivery with the same `webhook-id`."""
    actor, now = actor_of(principal), get_service(Clock).now()
    with get_service(Database).writing() as connection:
        row = replay_delivery(connection, principal, delivery_id, actor, now)
    return render_delivery(row, ())


def render_delivery(row: AnyRow, attempts: Sequence[AnyRow]) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "endpoint_id": str(row.endpoint_id),
        "event_id": str(row.event_id),
        "type": row.type,
        "state": row.state,
        "next_attempt_at": None if row.due_at is None else rfc3339(row.due_at),
        "attempts": [
            {
                "at": rfc3339(attempt.at),
                "status": attempt.status,
                "failure": attempt.failure,
                "milliseconds": attempt.milliseconds,
            }
            for attempt in attempts
        ],
        "created_at": rfc3339(row.created_at),
    }
