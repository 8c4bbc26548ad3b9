"""SQL of the endpoints that are visible to a principal, their health, and their end."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, func, select, update

from app.access.audit import record_workspace_event
from app.access.principal import Actor, Principal
from app.access.store import visible_to
from app.db.filters import PageFilter, equal, load_page
from app.db.rows import AnyRow
from app.kernel.errors import NotFound
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


@dataclass(frozen=True, slots=True)
class EndpointFilter(PageFilter):
    workspace_id: UUID | None = None
    active: bool | None = None


def load_endpoints(
    connection: Connection, principal: Principal, wanted: EndpointFilter
) -> list[AnyRow]:
    """Load `limit` + 1 rows, newest first."""
    conditions = equal(wanted, webhook_endpoints, "workspace_id", "active")
    seen = visible_to(principal, webhook_endpoints.c.workspace_id)
    query = select(webhook_endpoints).where(seen, *conditions)
    return load_page(connection, query, webhook_endpoints, wanted)


def load_endpoint(
    connection: Connection, principal: Principal, endpoint_id: UUID, *, to_change: bool = False
) -> AnyRow:
    """``to_change`` locks it. Raises `NotFound`."""
    columns = webhook_endpoints.c
    query = select(webhook_endpoints).where(
        columns.id == endpoint_id, visible_to(principal, columns.workspace_id)
    )
    if to_change:
        query = query.with_for_update()
    found = connection.execute(query).one_or_none()
    if found is None:
        raise NotFound
    return found


def count_endpoints(connection: Connection, workspace_id: UUID) -> int:
    query = select(func.count()).where(webhook_endpoints.c.workspace_id == workspace_id)
    return connection.execute(query).scalar_one()


def disable_endpoint(
    connection: Connection, endpoint: AnyRow, reason: str, actor: Actor, now: datetime
) -> None:
    connection.execute(
        update(webhook_endpoints)
        .where(webhook_endpoints.c.id == endpoint.id)
        .values(active=False, disabled_at=now, disabled_reason=reason, updated_at=now)
    )
    connection.execute(
        update(webhook_deliveries)
        .where(
            webhook_deliveries.c.endpoint_id == endpoint.id, webhook_deliveries.c.due_at.isnot(None)
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
