"""The last successful delivery of endpoints."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, select

from app.webhooks.attempt import DeliveryState
from app.webhooks.tables import webhook_attempts, webhook_deliveries, webhook_endpoints


def load_last_successes(
    connection: Connection, endpoint_ids: Sequence[UUID]
) -> dict[UUID, datetime]:
    deliveries, attempts = webhook_deliveries.c, webhook_attempts.c
    newest = (
        select(deliveries.id)
        .where(
            deliveries.endpoint_id == webhook_endpoints.c.id,
            deliveries.state == DeliveryState.DELIVERED,
        )
        .order_by(deliveries.id.desc())
        .limit(1)
        .correlate(webhook_endpoints)
        .scalar_subquery()
    )
    taken = attempts.status.between(200, 299)
    query = (
        select(webhook_endpoints.c.id, attempts.at)
        .join_from(webhook_endpoints, webhook_attempts, attempts.delivery_id == newest)
        .where(webhook_endpoints.c.id.in_(list(endpoint_ids)), taken)
        .order_by(attempts.id)
    )
    return {row.id: row.at for row in connection.execute(query)}
