"""Routes of webhook endpoints."""

from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Response

from app.access.guard import Requires
from app.access.principal import Principal, Role, actor_of
from app.db.engine import Database
from app.db.rows import AnyRow
from app.kernel import errors as e
from app.kernel.clock import rfc3339
from app.web.bodies import JsonBody, Query
from app.web.pages import page
from app.web.registry import get_service
from app.web.routes import Answer, Routes, json_answer
from app.webhooks.endpoints import EndpointFilter, load_endpoint, load_endpoints
from app.webhooks.manage import EndpointSecret, ManageEndpoints, NewEndpoint
from app.webhooks.schemas import (
    EndpointBody,
    EndpointChange,
    EndpointListQuery,
    EndpointPage,
    EndpointSecretView,
    EndpointView,
)

routes = Routes("Webhooks")
PATH = "/v1/webhook-endpoints"
_ADD: JsonBody[NewEndpoint] = JsonBody(EndpointBody)
_CHANGE: JsonBody[dict[str, Any]] = JsonBody(EndpointChange)
_LIST: Query[EndpointFilter] = Query(EndpointListQuery)


@routes.add("GET", PATH, guard=Requires(Role.VIEWER), query=_LIST, answers={200: EndpointPage})
def list_webhook_endpoints(principal: Principal) -> Answer:
    """List webhook endpoints, newest first."""
    wanted = _LIST.read()
    with get_service(Database).reading() as connection:
        found = load_endpoints(connection, principal, wanted)
    return json_answer(page(found, wanted.limit, lambda row: row.id, render_endpoint))


@routes.add("POST", PATH, guard=Requires(Role.ADMIN), body=_ADD, answers={201: EndpointSecretView})
def create_webhook_endpoint(principal: Principal) -> Answer:
    """Create an endpoint; its signing secret is shown only in this answer."""
    made = get_service(ManageEndpoints).create(principal, _ADD.read(), actor_of(principal))
    return json_answer(_with_secret(made), 201)


@routes.add(
    "GET",
    PATH + "/{endpoint_id}",
    guard=Requires(Role.VIEWER),
    answers={200: EndpointView},
    errors=(e.NotFound,),
)
def get_webhook_endpoint(principal: Principal, endpoint_id: UUID) -> Answer:
    """Show one endpoint."""
    with get_service(Database).reading() as connection:
        return json_answer(render_endpoint(load_endpoint(connection, principal, endpoint_id)))


@routes.add(
    "PATCH",
    PATH + "/{endpoint_id}",
    guard=Requires(Role.ADMIN),
    body=_CHANGE,
    answers={200: EndpointView},
    errors=(e.NotFound,),
)
def change_webhook_endpoint(principal: Principal, endpoint_id: UUID) -> Answer:
    """Change the URL or the events of an endpoint, or turn it on or off."""
    wanted, actor = _CHANGE.read(), actor_of(principal)
    return json_answer(
        render_endpoint(get_service(ManageEndpoints).change(principal, endpoint_id, wanted, actor))
    )


@routes.add(
    "DELETE",
    PATH + "/{endpoint_id}",
    guard=Requires(Role.ADMIN),
    answers={204: None},
    errors=(e.NotFound,),
)
def delete_webhook_endpoint(principal: Principal, endpoint_id: UUID) -> Answer:
    """Delete an endpoint with its deliveries."""
    get_service(ManageEndpoints).delete(principal, endpoint_id, actor_of(principal))
    return Response(status=204)


@routes.add(
    "POST",
    PATH + "/{endpoint_id}/rotate-secret",
    guard=Requires(Role.ADMIN),
    answers={200: EndpointSecretView},
    errors=(e.NotFound,),
)
def rotate_webhook_secret(principal: Principal, endpoint_id: UUID) -> Answer:
    """Create a new signing secret; the previous one also signs for 24 hours."""
    made = get_service(ManageEndpoints).rotate(principal, endpoint_id, actor_of(principal))
    return json_answer(_with_secret(made))


def _with_secret(made: EndpointSecret) -> dict[str, Any]:
    return render_endpoint(made.row) | {"secret": made.secret}


def render_endpoint(row: AnyRow) -> dict[str, Any]:
    def time(value: datetime | None) -> str | None:
        return None if value is None else rfc3339(value)

    return {
        "id": str(row.id),
        "workspace_id": str(row.workspace_id),
        "url": row.url,
        "events": row.events,
        "active": row.active,
        "disabled_at": time(row.disabled_at),
        "disabled_reason": row.disabled_reason,
        "failing_since": time(row.first_failed_at),
        "previous_secret_until": time(row.previous_secret_until),
        "created_at": rfc3339(row.created_at),
        "updated_at": rfc3339(row.updated_at),
    }
