"""Routes and wire schemas of webhook endpoints and of their deliveries."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from marshmallow import ValidationError, fields, validate

from app.access.guard import ADMIN, VIEWER, changing
from app.access.principal import Principal
from app.db.rows import AnyRow
from app.kernel import errors as e
from app.web.fields import Id, StrictSchema, Text, Time, TrueOrFalse, View, one_of
from app.web.pages import PageQuery, page, page_of
from app.web.registry import get_service, reading
from app.web.routes import Json, Routes
from app.webhooks.address import MAX_URL_CHARS
from app.webhooks.deliveries import DeliveryFilter, load_attempts, load_deliveries, replay_delivery
from app.webhooks.endpoints import (
    EndpointFilter,
    EndpointSecret,
    ManageEndpoints,
    NewEndpoint,
    load_endpoint,
    load_endpoints,
)
from app.webhooks.outbox import EventType
from app.webhooks.sender import DeliveryState, Failure


class EndpointUrl(Text):
    """A URL that this gateway may send events to."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validate=validate.Length(min=1, max=MAX_URL_CHARS), **kwargs)

    def read(self, text: str) -> str:
        problem = get_service(ManageEndpoints).problem_of(text)
        if problem is not None:
            raise ValidationError(problem)
        return text


def _events(**kwargs: Any) -> fields.List[str]:
    return fields.List(
        Text(validate=one_of(EventType)), validate=validate.Length(min=1, max=100), **kwargs
    )


class EndpointBody(StrictSchema):
    makes = NewEndpoint
    url = EndpointUrl(required=True)
    events = _events(required=True)
    workspace_id = Id(load_default=None, allow_none=True)


class EndpointChange(StrictSchema):
    """Body of ``PATCH /v1/webhook-endpoints/{endpoint_id}``; omitted fields stay."""

    url = EndpointUrl()
    events = _events()
    active = TrueOrFalse(metadata={"example": False})


class EndpointListQuery(PageQuery):
    makes = EndpointFilter
    workspace_id = Id()
    active = fields.Boolean()


class EndpointView(View):
    """A webhook endpoint."""

    id = fields.UUID()
    workspace_id = fields.UUID()
    url = fields.String()
    events = fields.List(fields.String(validate=one_of(EventType)))
    active = fields.Boolean()
    disabled_at = Time(allow_none=True)
    disabled_reason = fields.String(allow_none=True)
    failing_since = Time(allow_none=True)
    previous_secret_until = Time(allow_none=True)
    created_at = Time()
    updated_at = Time()


class EndpointSecretView(EndpointView):
    """An endpoint with its new secret, which is shown only here."""

    secret = fields.String(metadata={"example": "whsec_" + "A" * 43 + "="})


EndpointPage = page_of(EndpointView, "A page of endpoints, newest first.")


class DeliveryListQuery(PageQuery):
    makes = DeliveryFilter
    state = fields.String(validate=one_of(DeliveryState))


class AttemptView(View):
    """One attempt, with the status of the answer or the failure."""

    at = Time()
    status = fields.Integer(allow_none=True, metadata={"example": 204})
    failure = fields.String(allow_none=True, validate=one_of(Failure))
    milliseconds = fields.Integer()


class DeliveryView(View):
    """The delivery of one event to one endpoint."""

    id = fields.UUID()
    endpoint_id = fields.UUID()
    event_id = fields.UUID()
    type = fields.String(validate=one_of(EventType))
    state = fields.String(validate=one_of(DeliveryState))
    next_attempt_at = Time(allow_none=True)
    attempts = fields.List(fields.Nested(AttemptView))
    created_at = Time()


DeliveryPage = page_of(DeliveryView, "A page of deliveries, newest first.")

routes = Routes("Webhooks")
PATH = "/v1/webhook-endpoints"
ONE = PATH + "/{endpoint_id}"
_ABSENT = (e.NotFound,)


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


@routes.add("GET", ONE, VIEWER, {200: EndpointView}, errors=_ABSENT)
def get_webhook_endpoint(principal: Principal, endpoint_id: UUID) -> Json:
    """Show one endpoint."""
    with reading() as connection:
        return render_endpoint(load_endpoint(connection, principal, endpoint_id))


@routes.add("PATCH", ONE, ADMIN, {200: EndpointView}, body=EndpointChange, errors=_ABSENT)
def change_webhook_endpoint(principal: Principal, endpoint_id: UUID, body: dict[str, Any]) -> Json:
    """Change the URL or the events of an endpoint, or turn it on or off."""
    return render_endpoint(get_service(ManageEndpoints).change(principal, endpoint_id, body))


@routes.add("DELETE", ONE, ADMIN, {204: None}, errors=_ABSENT)
def delete_webhook_endpoint(principal: Principal, endpoint_id: UUID) -> None:
    """Delete an endpoint with its deliveries."""
    get_service(ManageEndpoints).delete(principal, endpoint_id)


@routes.add("POST", ONE + "/rotate-secret", ADMIN, {200: EndpointSecretView}, errors=_ABSENT)
def rotate_webhook_secret(principal: Principal, endpoint_id: UUID) -> Json:
    """Create a new signing secret; the previous one also signs for 24 hours."""
    made = get_service(ManageEndpoints).rotate(principal, endpoint_id)
    return _with_secret(made)


def _with_secret(made: EndpointSecret) -> dict[str, Any]:
    return render_endpoint(made.row) | {"secret": made.secret}


def render_endpoint(row: AnyRow) -> dict[str, Any]:
    return EndpointView.write(row, failing_since=row.first_failed_at)


@routes.add(
    "GET", ONE + "/deliveries", VIEWER, {200: DeliveryPage}, query=DeliveryListQuery, errors=_ABSENT
)
def list_webhook_deliveries(principal: Principal, endpoint_id: UUID, query: DeliveryFilter) -> Json:
    """List an endpoint's deliveries with every attempt, newest first."""
    with reading() as connection:
        load_endpoint(connection, principal, endpoint_id)
        found = load_deliveries(connection, endpoint_id, query)
        attempts = load_attempts(connection, [row.id for row in found])
    return page(found, query.limit, lambda row: render_delivery(row, attempts.get(row.id, ())))


@routes.add(
    "POST",
    "/v1/webhook-deliveries/{delivery_id}/replay",
    ADMIN,
    {201: DeliveryView},
    errors=(e.NotFound, e.ValidationFailed),
)
def replay_webhook_delivery(principal: Principal, delivery_id: UUID) -> Json:
    """Send an event again, as a new delivery with the same `webhook-id`."""
    with changing(principal) as change:
        row = replay_delivery(change, delivery_id)
    return render_delivery(row, ())


def render_delivery(row: AnyRow, attempts: Sequence[AnyRow]) -> dict[str, Any]:
    return DeliveryView.write(row, next_attempt_at=row.due_at, attempts=attempts)
