"""SQL of the endpoints that are visible to a principal."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, func, select

from app.access.principal import Principal
from app.access.store import visible_to
from app.db.filters import given
from app.db.rows import AnyRow
from app.kernel.errors import NotFound
from app.webhooks.tables import webhook_endpoints


@dataclass(frozen=True, slots=True)
class EndpointFilter:
    limit: int
    page_token: UUID | None = None
    workspace_id: UUID | None = None
    active: bool | None = None


def load_endpoints(
    connection: Connection, principal: Principal, wanted: EndpointFilter
) -> list[AnyRow]:
    """Load `limit` + 1 rows, newest first."""
    columns = webhook_endpoints.c
    conditions = given(
        (wanted.page_token, columns.id.__lt__),
        (wanted.workspace_id, columns.workspace_id.__eq__),
        (wanted.active, columns.active.is_),
    )
    query = (
        select(webhook_endpoints)
        .where(visible_to(principal, columns.workspace_id), *conditions)
        .order_by(columns.id.desc())
        .limit(wanted.limit + 1)
    )
    return list(connection.execute(query))


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
