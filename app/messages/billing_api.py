"""Routes of the price of a message, and of its conversion feedback."""

from typing import Any
from uuid import UUID

from marshmallow import Schema, ValidationError, fields

from app.access.guard import SENDER, VIEWER
from app.access.principal import Principal
from app.db.engine import Database
from app.kernel import errors as e
from app.kernel.clock import Clock, rfc3339
from app.messages.queries.billing import Feedback, load_price, store_feedback
from app.web.fields import StrictSchema
from app.web.registry import get_service
from app.web.routes import Answer, Json, Routes, json_answer

routes = Routes("SMS")


class PriceView(Schema):
    """The estimated and the actual price of a message."""

    currency = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "ISO 4217; null without prices", "example": "USD"},
    )
    segments = fields.Integer(
        required=True, metadata={"description": "The carrier's count, until then ours"}
    )
    estimated = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "A decimal; null without prices", "example": "0.1000"},
    )
    actual = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "A decimal; null until Twilio tells it", "example": "0.0925"},
    )


class TrueOrFalse(fields.Boolean):
    """A boolean; marshmallow's own also takes 1 and "yes"."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(value, bool):
            raise ValidationError("Must be true or false.")
        return super()._deserialize(value, *args, **kwargs)


class FeedbackBody(StrictSchema):
    makes = Feedback
    converted = TrueOrFalse(
        required=True,
        metadata={"description": "Whether the recipient did what the message was for"},
    )


class FeedbackView(Schema):
    """The feedback of a message."""

    message_id = fields.UUID(required=True)
    converted = fields.Boolean(required=True)
    converted_at = fields.DateTime(
        required=True, metadata={"description": "When it was first reported so"}
    )


@routes.add("GET", "/v1/sms/{message_id}/price", VIEWER, {200: PriceView}, errors=(e.NotFound,))
def get_sms_price(principal: Principal, message_id: UUID) -> Json:
    """Show the estimated and the actual price of a message."""
    with get_service(Database).reading() as connection:
        found = load_price(connection, principal, message_id, get_service(Clock).now())
    if found is None:
        raise e.NotFound
    return found.as_json()


@routes.add(
    "POST",
    "/v1/sms/{message_id}/feedback",
    SENDER,
    {200: FeedbackView},
    body=FeedbackBody,
    errors=(e.NotFound,),
)
def post_sms_feedback(principal: Principal, message_id: UUID, body: Feedback) -> Answer:
    """Report whether a message converted; the last report counts."""
    now = get_service(Clock).now()
    with get_service(Database).writing() as connection:
        stored = store_feedback(connection, principal, message_id, body, now)
    if stored is None:
        raise e.NotFound
    return json_answer(
        {
            "message_id": str(stored.message_id),
            "converted": stored.converted,
            "converted_at": rfc3339(stored.converted_at),
        }
    )
