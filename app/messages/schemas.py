"""Wire schemas of sending and reading messages."""

from marshmallow import fields, validate

from app.messages.lifecycle import Reason
from app.messages.queries.read import MessageFilter
from app.messages.sending.send import SendRequest
from app.providers.port import Status
from app.web.fields import (
    Country,
    E164Text,
    Id,
    PhoneNumberField,
    StrictSchema,
    Time,
    Timestamp,
    View,
    VisibleText,
    about,
    one_of,
)
from app.web.pages import PageQuery, page_of

MAX_CHARACTERS = 1600


class SendBody(StrictSchema):
    makes = SendRequest
    use_case_id = Id(required=True, metadata=about("ID of the SMS use case to send through"))
    to_phone_number = E164Text(
        required=True, metadata=about("Destination in canonical E.164 form", example="+12025550123")
    )
    message = VisibleText(
        required=True,
        validate=validate.Length(min=1, max=MAX_CHARACTERS),
        metadata=about("Message body, 1 to 1600 characters", example="Your code is 4711"),
    )


class MessageListQuery(PageQuery):
    makes = MessageFilter
    status = fields.String(validate=one_of(Status), metadata=about("Only messages of this status"))
    country = Country(metadata=about("Only destinations in this country"))
    use_case_id = Id(metadata=about("Only messages of this use case"))
    workspace_id = Id(
        metadata=about("Only messages of this workspace; for keys of the organization")
    )
    to_number = PhoneNumberField(metadata=about("Only messages to this number"))
    created_after = Timestamp(metadata=about("Only messages made after this time"))
    created_before = Timestamp(metadata=about("Only messages made before this time"))


class MessageView(View):
    """One outbound message."""

    id = fields.UUID(metadata=about("Ours; it is also in the callback's address"))
    use_case_id = fields.UUID(metadata=about("The use case that it was sent through"))
    message_sid = fields.String(
        allow_none=True,
        metadata=about("The provider's id; null while it has not confirmed the message"),
    )
    from_number = fields.String(
        allow_none=True,
        metadata=about("The sender; null until the provider has chosen one from the pool"),
    )
    to_number = fields.String(metadata=about("The destination, in E.164 form"))
    body = fields.String(
        allow_none=True,
        metadata=about("The text as sent; null once it is erased", example="Your code is 4711"),
    )
    num_segments = fields.Integer(
        allow_none=True,
        metadata=about("Segments that the text takes; null until the carrier has it"),
    )
    status = fields.String(
        validate=one_of(Status),
        metadata=about("How far it got; delivered, undelivered and failed are ends"),
    )
    handed_off_at = Time(allow_none=True, metadata=about("When the carrier took it"))
    delivered_at = Time(
        allow_none=True,
        metadata=about("When the carrier confirmed it; stays null without receipts"),
    )
    errored_at = Time(allow_none=True, metadata=about("When it ended as failed or undelivered"))
    error_code = fields.Integer(allow_none=True, metadata=about("The provider's code for that end"))
    created_at = Time(metadata=about("When it was accepted here"))
    updated_at = Time(metadata=about("When it last changed"))


MessagePage = page_of(MessageView, "A page of messages, newest first.")


class EventView(View):
    """One report about a message, whether or not it changed anything."""

    at = Time(metadata=about("When the report came in"))
    status = fields.String(
        validate=one_of(Status), metadata=about("The status that the report means")
    )
    provider_status = fields.String(allow_none=True, metadata=about("The provider's own word"))
    error_code = fields.Integer(
        allow_none=True, metadata=about("The provider's code, if the report had one")
    )
    applied = fields.Boolean(metadata=about("Whether the message changed by it"))
    reason = fields.String(
        allow_none=True,
        validate=one_of(Reason),
        metadata=about(
            "Why nothing changed (it came twice, too late, or after another end), "
            "or what the worker concluded: no trace, or an ambiguous one"
        ),
    )
    repeats = fields.Integer(
        metadata=about("How many more such reports came that are only counted")
    )


EventList = page_of(EventView, "A page of the reports about a message, oldest first.", "EventList")
