"""Disabling an endpoint, with the reason in the audit log."""

from datetime import datetime

from sqlalchemy import Connection, update

from app.access.audit import record_workspace_event
from app.access.principal import Actor
from app.db.rows import AnyRow
from app.webhooks.attempt import DeliveryState
from app.webhooks.tables import webhook_deliveries, webhook_endpoints


def disable_endpoint(
    connection: Connection, endpoint: AnyRow, reason: str, actor: Actor, now: datetime
) -> None:
    """Disable a locked endpoint and stop its waiting deliveries."""
    connection.execute(
        update(webhook_endpoints)
        .where(webhook_endpoints.c.id == endpoint.id)
        .values(active=False, disabled_at=now, disabled_reason=reason, updated_at=now)
    )
    connection.execute(
        update(webhook_deliveries)
        .where(
            webhook_deliveries.c.endpoint_id == endpoint.id,
            webhook_deliveries.c.due_at.isnot(None),
        )
        .values(state=DeliveryState.STOPPED, due_at=None)
    )
    record_endpoint_event(connection, endpoint, "disabled", actor, now, reason=reason)


def record_endpoint_event(
    connection: Connection,
    endpoint: AnyRow,
    verb: str,
    actor: Actor,
    now: datetime,
    *,
    reason: str | None = None,
) -> None:
    action = f"webhook_endpoint.{verb}"
    of_endpoint = endpoint.workspace_id, action, now
    record_workspace_event(connection, actor, *of_endpoint, target=endpoint.id, reason=reason)
