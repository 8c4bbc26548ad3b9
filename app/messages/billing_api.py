"""Routes of the price of a message, and of feedback about it."""

from typing import Any
from uuid import UUID

from marshmallow import Schema, ValidationError, fields, post_load

from app.access.guard import Requires
from app.access.principal import Principal, Role
from app.db.engine import Database
from app.kernel import errors as e
from app.kernel.clock import Clock, rfc3339
from app.messages.queries.billing import Feedback, load_price, store_feedback
from app.web.bodies import JsonBody
from app.web.fields import StrictSchema
from app.web.registry import get_service
from app.web.routes import Answer, Routes, json_answer

routes = Routes("SMS")


class PriceView(Schema):
    """What a message is estimated to cost, and what it cost."""

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
    """A boolean, and nothing that merely equals one."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(value, bool):
            raise ValidationError("Must be true or false.")
        return super()._deserialize(value, *args, **kwargs)


class FeedbackBody(StrictSchema):
    """Body of ``POST /v1/sms/{message_id}/feedback``."""

    converted = TrueOrFalse(
        required=True,
        metadata={"description": "Whether the recipient did what the message was for"},
    )

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Feedback:
        return Feedback(**data)


class FeedbackView(Schema):
    """The feedback of a message."""

    message_id = fields.UUID(required=True)
    converted = fields.Boolean(required=True)
    converted_at = fields.DateTime(
        required=True, metadata={"description": "When it was first reported so"}
    )


_FEEDBACK: JsonBody[Feedback] = JsonBody(FeedbackBody)


@routes.add(
    "GET",
    "/v1/sms/{message_id}/price",
    guard=Requires(Role.VIEWER),
    answers={200: PriceView},
    errors=(e.NotFound,),
)
def get_sms_price(principal: Principal, message_id: UUID) -> Answer:
    """Show what a message is estimated to cost, and what it cost."""
    with get_service(Database).reading() as connection:
        found = load_price(connection, principal, message_id, get_service(Clock).now())
    if found is None:
        raise e.NotFound
    return json_answer(found.as_json())


@routes.add(
    "POST",
    "/v1/sms/{message_id}/feedback",
    guard=Requires(Role.SENDER),
    body=_FEEDBACK,
    answers={200: FeedbackView},
    errors=(e.NotFound,),
)
def post_sms_feedback(principal: Principal, message_id: UUID) -> Answer:
    """Report whether a message converted; the last report stands, and a repeat changes nothing."""
    feedback = _FEEDBACK.read()
    now = get_service(Clock).now()
    with get_service(Database).writing() as connection:
        stored = store_feedback(connection, principal, message_id, feedback, now)
    if stored is None:
        raise e.NotFound
    return json_answer(
        {
            "message_id": str(stored.message_id),
            "converted": stored.converted,
            "converted_at": rfc3339(stored.converted_at),
        }
    )
