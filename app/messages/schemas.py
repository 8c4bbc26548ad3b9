"""The wire shapes of sending and reading messages (seed 004)."""

from typing import Any

from marshmallow import Schema, fields, post_load, validate

from app.messages.lifecycle import Reason, Status
from app.messages.read import MessageFilter
from app.messages.request import SendRequest
from app.web.fields import Country, PhoneNumber, StrictSchema, Text, Timestamp, one_of
from app.web.pages import PageQuery

MAX_CHARACTERS = 1600


class SendBody(StrictSchema):
    """Body of ``POST /v1/sms``."""

    use_case_id = fields.UUID(
        required=True, metadata={"description": "ID of the SMS use case to send through"}
    )
    to_phone_number = PhoneNumber(
        required=True,
        metadata={"description": "Destination in E.164 form", "example": "+12025550123"},
    )
    message = Text(
        required=True,
        validate=validate.Length(min=1, max=MAX_CHARACTERS),
        metadata={"description": "Message body, 1 to 1600 characters"},
    )

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> SendRequest:
        return SendRequest(**data)


class MessageListQuery(PageQuery, StrictSchema):
    """Query of ``GET /v1/sms``."""

    status = fields.String(validate=one_of(Status))
    country = Country()
    use_case_id = fields.UUID()
    workspace_id = fields.UUID()
    to_number = PhoneNumber()
    created_after = Timestamp()
    created_before = Timestamp()

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> MessageFilter:
        return MessageFilter(**data)


class MessageView(Schema):
    """One outbound message."""

    id = fields.UUID(required=True)
    use_case_id = fields.UUID(required=True)
    message_sid = fields.String(required=True, allow_none=True)
    from_number = fields.String(required=True, allow_none=True)
    to_number = fields.String(required=True)
    body = fields.String(required=True, allow_none=True)
    num_segments = fields.Integer(required=True, allow_none=True)
    status = fields.String(required=True, validate=one_of(Status))
    handed_off_at = fields.DateTime(required=True, allow_none=True)
    delivered_at = fields.DateTime(required=True, allow_none=True)
    errored_at = fields.DateTime(required=True, allow_none=True)
    error_code = fields.Integer(required=True, allow_none=True)
    created_at = fields.DateTime(required=True)
    updated_at = fields.DateTime(required=True)


class MessagePage(Schema):
    """A page of messages, newest first."""

    items = fields.List(fields.Nested(MessageView), required=True)
    next_page_token = fields.String(required=True, allow_none=True)


class EventView(Schema):
    """One report about a message, whether or not it changed anything."""

    at = fields.DateTime(required=True)
    status = fields.String(required=True, validate=one_of(Status))
    provider_status = fields.String(required=True, allow_none=True)
    error_code = fields.Integer(required=True, allow_none=True)
    applied = fields.Boolean(required=True)
    reason = fields.String(required=True, allow_none=True, validate=one_of(Reason))


class EventList(Schema):
    """Everything that was reported of a message, oldest first."""

    items = fields.List(fields.Nested(EventView), required=True)
    next_page_token = fields.String(required=True, allow_none=True)
