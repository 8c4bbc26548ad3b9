"""Routes of webhook endpoints and of their deliveries."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from app.access.guard import ADMIN, VIEWER
from app.access.principal import Principal
from app.db.rows import AnyRow
from app.kernel import errors as e
from app.web.database import reading, writing
from app.web.pages import page
from app.web.registry import get_service
from app.web.routes import Json, Routes
from app.webhooks.deliveries import DeliveryFilter, load_attempts, load_deliveries, replay_delivery
from app.webhooks.endpoints import (
    EndpointFilter,
    EndpointSecret,
    ManageEndpoints,
    NewEndpoint,
    load_endpoint,
    load_endpoints,
)
from app.webhooks.schemas import (
    DeliveryListQuery,
    DeliveryPage,
    DeliveryView,
    EndpointBody,
    EndpointChange,
    EndpointListQuery,
    EndpointPage,
    EndpointSecretView,
    EndpointView,
)

routes = Routes("Webhooks")
PATH = "/v1/webhook-endpoints"


@routes.add("GET", PATH, VIEWER, {200: EndpointPage}, query=EndpointListQuery)
def list_webhook_endpoints(principal: Principal, query: EndpointFilter) -> Json:
    """List webhook endpoints, newest first."""
    with reading() as connection:
        found = load_endpoints(connection, principal, query)
    return page(found, query.limit, render_endpoint)


@routes.add("POST", PATH, ADMIN, {201: EndpointSecretView}, body=EndpointBody)
def create_webhook_endpoint(principal: Principal, body: NewEndpoint) -> Json:
    """Create an endpoint; its signing secret is shown only in this answer."""
    made = get_service(ManageEndpoints).create(principal, body)
    return _with_secret(made)


@routes.add("GET", PATH + "/{endpoint_id}", VIEWER, {200: EndpointView}, errors=(e.NotFound,))
def get_webhook_endpoint(principal: Principal, endpoint_id: UUID) -> Json:
    """Show one endpoint."""
    with reading() as connection:
        return render_endpoint(load_endpoint(connection, principal, endpoint_id))


@routes.add(
    "PATCH",
    PATH + "/{endpoint_id}",
    ADMIN,
    {200: EndpointView},
    body=EndpointChange,
    errors=(e.NotFound,),
)
def change_webhook_endpoint(principal: Principal, endpoint_id: UUID, body: dict[str, Any]) -> Json:
    """Change the URL or the events of an endpoint, or turn it on or off."""
    return render_endpoint(get_service(ManageEndpoints).change(principal, endpoint_id, body))


@routes.add("DELETE", PATH + "/{endpoint_id}", ADMIN, {204: None}, errors=(e.NotFound,))
def delete_webhook_endpoint(principal: Principal, endpoint_id: UUID) -> None:
    """Delete an endpoint with its deliveries."""
    get_service(ManageEndpoints).delete(principal, endpoint_id)


@routes.add(
    "POST",
    PATH + "/{endpoint_id}/rotate-secret",
    ADMIN,
    {200: EndpointSecretView},
    errors=(e.NotFound,),
)
def rotate_webhook_secret(principal: Principal, endpoint_id: UUID) -> Json:
    """Create a new signing secret; the previous one also signs for 24 hours."""
    made = get_service(ManageEndpoints).rotate(principal, endpoint_id)
    return _with_secret(made)


def _with_secret(made: EndpointSecret) -> dict[str, Any]:
    return render_endpoint(made.row) | {"secret": made.secret}


def render_endpoint(row: AnyRow) -> dict[str, Any]:
    return EndpointView.write(row, failing_since=row.first_failed_at)


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
    with reading() as connection:
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
    """Send an event again, as a new delivery with the same `webhook-id`."""
    with writing() as (connection, now):
        row = replay_delivery(connection, principal, delivery_id, now)
    return render_delivery(row, ())


def render_delivery(row: AnyRow, attempts: Sequence[AnyRow]) -> dict[str, Any]:
    return DeliveryView.write(row, next_attempt_at=row.due_at, attempts=attempts)
