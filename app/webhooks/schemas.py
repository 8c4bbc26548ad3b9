"""Wire schemas of webhook endpoints and deliveries."""

from typing import Any

from marshmallow import ValidationError as SchemaError
from marshmallow import fields, validate

from app.web.fields import Id, StrictSchema, Text, Time, TrueOrFalse, View, one_of
from app.web.pages import PageQuery, page_of
from app.web.registry import get_service
from app.webhooks.address import MAX_URL_CHARS
from app.webhooks.attempt import DeliveryState, Failure
from app.webhooks.deliveries import DeliveryFilter
from app.webhooks.endpoints import EndpointFilter, ManageEndpoints, NewEndpoint
from app.webhooks.outbox import EventType


class EndpointUrl(Text):
    """A URL that this gateway may send events to."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validate=validate.Length(min=1, max=MAX_URL_CHARS), **kwargs)

    def read(self, text: str) -> str:
        problem = get_service(ManageEndpoints).problem_of(text)
        if problem is not None:
            raise SchemaError(problem)
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
