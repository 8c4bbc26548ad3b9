"""Routes and schemas that send and read messages, with their price and feedback."""

from uuid import UUID

from flask import request
from marshmallow import fields, validate

from app.access.guard import SENDER, VIEWER, RequiresLater, count_request
from app.access.principal import Principal, Role
from app.db.rows import PageFilter
from app.kernel import errors as e
from app.messages.lifecycle import Reason
from app.messages.queries.details import load_price, store_feedback
from app.messages.queries.read import (
    MessageFilter,
    load_events,
    load_message,
    load_messages,
    render_for,
)
from app.messages.sending.idempotency import IdempotentRequest, identify
from app.messages.sending.send import NoFreePlace, SendCall, SendMessage, SendRequest, Sent
from app.providers.port import Status
from app.web.bodies import read_json
from app.web.errors import REPLAYED
from app.web.fields import (
    Country,
    E164Text,
    Id,
    PhoneNumberField,
    StrictSchema,
    Time,
    Timestamp,
    TrueOrFalse,
    View,
    VisibleText,
    about,
    one_of,
)
from app.web.pages import PageQuery, page, page_of
from app.web.registry import current_time, get_service, reading, writing
from app.web.routes import Answer, Json, Routes, json_text_answer
from app.web.waiting import may_wait, run_again_when

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
            "or the worker's conclusion: no trace, or an ambiguous one"
        ),
    )
    repeats = fields.Integer(
        metadata=about("How many more such reports came that are only counted")
    )


EventList = page_of(EventView, "A page of the reports about a message, oldest first.", "EventList")

routes = Routes("SMS")
PATH = "/v1/sms"
ONE = PATH + "/{message_id}"
_ABSENT = (e.NotFound,)
_SENDER = RequiresLater(Role.SENDER)


@routes.add(
    "POST",
    PATH,
    _SENDER,
    {201: MessageView},
    body=SendBody,
    headers={"Idempotency-Key": "1 to 255 printable characters; a repeat gets the first answer"},
    answer_headers={REPLAYED: "true: this is the first answer to that key again"},
    errors=(
        e.WorkspaceSuspended,
        e.UseCaseNotFound,
        e.IdempotencyConflict,
        e.UseCaseInactive,
        e.BrandSuspended,
        e.NoSenderNumber,
        e.CampaignNotVerified,
        e.InvalidDestination,
        e.DestinationBlocked,
        e.RecipientOptedOut,
        e.GuardTripped,
        e.MessageRejected,
        e.IdempotencyKeyReused,
        e.RateLimited,
        e.ProviderMisconfigured,
        e.ProviderUnavailable,
        e.SubmissionUnconfirmed,
    ),
)
def send_sms(token_hash: str, body: SendRequest) -> Answer:
    """Send one message through a use case."""
    try:
        idempotent = _idempotent_request()
    except e.PublicError:
        # A missing permission is reported before problems of the body.
        _SENDER.admit(token_hash)
        raise
    call = SendCall(
        token_hash, body, idempotent, may_wait=may_wait(request.environ), on_admitted=count_request
    )
    sent = send_or_wait(call)
    return json_text_answer(sent.answer, 201, {REPLAYED: "true"} if sent.replayed else {})


def send_or_wait(call: SendCall) -> Sent:
    """Send a message; if no place is free, the server runs the request again."""
    try:
        return get_service(SendMessage)(call)
    except NoFreePlace as full:
        run_again_when(request.environ, full.is_over)
        raise full.as_limit from full


def _idempotent_request() -> IdempotentRequest | None:
    key = request.headers.get("Idempotency-Key")
    return None if key is None else identify(key, read_json())


@routes.add("GET", PATH, VIEWER, {200: MessagePage}, query=MessageListQuery)
def list_sms(principal: Principal, query: MessageFilter) -> Json:
    """List messages, newest first."""
    with reading() as connection:
        found = load_messages(connection, principal, query, current_time())
    return page(found, query.limit, lambda message: render_for(message, principal.role))


@routes.add("GET", ONE, VIEWER, {200: MessageView}, errors=_ABSENT)
def get_sms(principal: Principal, message_id: UUID) -> Json:
    """Show one message."""
    with reading() as connection:
        found = load_message(connection, principal, message_id, current_time())
    return render_for(found, principal.role)


@routes.add("GET", ONE + "/events", VIEWER, {200: EventList}, query=PageQuery, errors=_ABSENT)
def list_sms_events(principal: Principal, message_id: UUID, query: PageFilter) -> Json:
    """List the reports about a message, oldest first."""
    with reading() as connection:
        load_message(connection, principal, message_id, current_time())
        events = load_events(connection, message_id, query)
    return page(events, query.limit, EventView.write)


class PriceView(View):
    """The estimated and the actual price of a message."""

    currency = fields.String(
        allow_none=True, metadata=about("ISO 4217; null without prices", example="USD")
    )
    segments = fields.Integer(metadata=about("The carrier's count, until then ours"))
    estimated = fields.String(
        allow_none=True, metadata=about("A decimal; null without prices", example="0.1000")
    )
    actual = fields.String(
        allow_none=True, metadata=about("A decimal; null until Twilio tells it", example="0.0925")
    )


class FeedbackBody(StrictSchema):
    converted = TrueOrFalse(
        required=True, metadata=about("Whether the recipient did what the message was for")
    )


class FeedbackView(View):
    """The feedback of a message."""

    message_id = fields.UUID()
    converted = fields.Boolean()
    converted_at = Time(metadata=about("When it was first reported so"))


@routes.add("GET", ONE + "/price", VIEWER, {200: PriceView}, errors=_ABSENT)
def get_sms_price(principal: Principal, message_id: UUID) -> Json:
    """Show the estimated and the actual price of a message."""
    with reading() as connection:
        found = load_price(connection, principal, message_id, current_time())
    return PriceView.write(found)


@routes.add(
    "POST", ONE + "/feedback", SENDER, {200: FeedbackView}, body=FeedbackBody, errors=_ABSENT
)
def post_sms_feedback(principal: Principal, message_id: UUID, body: dict[str, bool]) -> Json:
    """Report whether a message converted; the last report counts."""
    with writing() as (connection, now):
        stored = store_feedback(connection, principal, message_id, body["converted"], now)
    return FeedbackView.write(stored)
