"""Pages of messages and refusals, with their searches and the labels of verdicts."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from flask import Response, request
from marshmallow import post_load
from sqlalchemy import Connection

from app.console.ui.forms import (
    DaysSearch,
    E164Input,
    PhoneNumberInput,
    named_country_options,
    options_of,
    searched_list,
    use_case_options,
)
from app.console.ui.guards import VIEWER, Pages
from app.console.ui.pages import page_answer
from app.db.rows import AnyRow, PageFilter
from app.destinations.policy.evaluate import Rule, RuleKind, Scope
from app.destinations.refusals import REFUSAL_CODES, RefusalFilter, load_refusals
from app.kernel.countries import country_name
from app.kernel.ids import parse_id
from app.messages.lifecycle import Reason, Submission
from app.messages.meanings import refusal_meaning
from app.messages.queries.details import (
    MessageDetails,
    load_message_details,
    load_message_details_page,
)
from app.messages.queries.read import MessageFilter, load_events
from app.providers.port import Status
from app.use_cases.read import load_use_case_names
from app.users.current_user import CurrentUser
from app.web.fields import Choice, Country, Id, StrictSchema, Text, one_of
from app.web.registry import current_time, reading

_KINDS = {
    "not_a_real_number": "No such number can exist: its length or prefix is not in any "
    "country's numbering plan.",
    "not_canonical": "This is not the canonical form of the number: use {canonical}.",
    "cannot_receive_sms": "This type of number cannot receive SMS.",
}
# Labels by rule; a rule for a country has the label of its layer.
_OF_RULE: dict[str, str] = {
    RuleKind.NO_COUNTRY: "The number belongs to no country. Such numbers are always blocked.",
    RuleKind.NUMBER: "A rule for this number blocks it.",
    RuleKind.PREFIX: "A prefix rule blocks it.",
}
_OF_SCOPE: dict[str, str] = {
    Scope.PROVIDER: "Twilio's geo permissions block this country: {place}.",
    Scope.ORGANIZATION: "The organization blocks this country for every workspace: {place}.",
    Scope.USE_CASE: "The use case does not allow this country: {place}.",
}
_NOT_NAMED = "{place} is not an allowed destination of this workspace."
# How long an open page updates itself.
_WATCHED = timedelta(minutes=20)
_SUBMISSIONS = {
    Submission.ACCEPTED: "Accepted by Twilio.",
    Submission.OPEN: "Not confirmed: the gateway stopped before Twilio answered. Twilio may "
    "have the message. The worker asks Twilio and updates the status.",
    Submission.UNCONFIRMED: "Not confirmed: Twilio did not confirm the message, and may have it. "
    "The worker asks Twilio after one minute. If Twilio has no record of it, the message fails "
    "after 15 minutes, or is resent before then if its use case allows that. If you send it again "
    "yourself, it may arrive twice.",
    Submission.NOT_CONFIRMED: "Not confirmed: Twilio had no record of it for 15 minutes. It was "
    "most likely not sent.",
}
_REASONS = {
    Reason.DUPLICATE: "Duplicate, no status change.",
    Reason.REGRESSION: "Late, no status change.",
    Reason.CONFLICT: "Contradicts the first final status, which is kept.",
    Reason.NOT_CONFIRMED: "Twilio had no record of the message for 15 minutes.",
    Reason.UNCLEAR: "Twilio has a message that may be this one, but it cannot be identified. "
    "The status stays pending and is checked again.",
}
SHOWN = 25
_SID = re.compile(r"[A-Z]{2}[0-9a-f]{32}", re.ASCII)
routes = Pages()
MESSAGES = "/console/messages"
# New messages have no more events; messages of old versions may have thousands.
EVENTS_SHOWN = 100
REFUSALS = "/console/refusals"


def country_label(code: str | None) -> str:
    return "no country" if code is None else country_name(code)


def refusal_label(row: AnyRow) -> str:
    if row.code == "DestinationBlocked":
        return blocked_label(row.rule, row.scope, row.country)
    return refusal_meaning(row.code) or ""


def blocked_label(rule: str | None, scope: str | None, country: str | None) -> str:
    words = _OF_RULE.get(rule or "") or _OF_SCOPE.get(scope or "") or _NOT_NAMED
    return words.format(place=country_label(country))


def allowed_label(rule: str | None, country: str | None) -> str:
    if rule == RuleKind.NUMBER:
        return "A rule for this number allows it."
    if rule == RuleKind.PREFIX:
        return "A prefix rule allows it."
    return f"{country_label(country)} is an allowed destination of this workspace."


def rule_label(rule: Rule) -> str:
    until = f", until {rule.expires_at:%Y-%m-%d %H:%M} UTC" if rule.expires_at else ""
    return f"{rule.kind} {rule.value} is {rule.action}{until}"


def invalid_label(details: dict[str, Any]) -> str:
    kind = details.get("kind")
    words = _KINDS.get(details.get("reason", ""), "Twilio does not accept the number.")
    words = words.format(canonical=details.get("canonical"))
    return words if kind is None else f"{words[:-1]}: {str(kind).replace('_', ' ')}."


def submission_label(submission: Submission) -> str:
    return _SUBMISSIONS.get(submission, "")


def effect_label(event: AnyRow) -> str:
    if event.applied and event.reason == Reason.CONFLICT:
        return (
            "Twilio's callback contradicts an earlier status check. The check is undone, and the "
            "status is checked again."
        )
    if event.reason is not None:
        return _REASONS[Reason(event.reason)]
    return f"Marked {event.status}." if event.applied else "No status change."


def is_watched(found: MessageDetails, now: datetime) -> bool:
    message = found.message
    return not message.status.is_terminal and now - message.created_at < _WATCHED


def marker(found: MessageDetails, events: list[AnyRow]) -> str:
    last = events[-1].id.hex if events else ""
    updated = found.message.updated_at.isoformat()
    repeats = sum(event.repeats for event in events)
    return f"{found.message.status}-{found.submission}-{updated}-{last}-{repeats}"


class NumberSearch(StrictSchema):
    number = E164Input(load_default=None)
    use_case_id = Id(load_default=None)


class WantedMessage(PhoneNumberInput):
    """A filter by recipient's number, message id or Twilio SID."""

    def deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the name of the filter and its value."""
        text = value.strip() if isinstance(value, str) else value
        if isinstance(text, str):
            message_id = parse_id(text)
            if message_id is not None:
                return "message_id", message_id
            if _SID.fullmatch(text):
                return "message_sid", text
        found = super().deserialize(text, *args, **kwargs)
        return ("to_number", found) if isinstance(found, str) else found


class MessageSearch(DaysSearch):
    makes = partial(MessageFilter, limit=SHOWN)
    status = Choice(Status)
    country = Country()
    use_case_id = Id()
    to_number = WantedMessage()

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Any:
        if "to_number" in data:
            name, value = data.pop("to_number")
            data[name] = value
        return super()._make(data)


class RefusalSearch(DaysSearch):
    makes = partial(RefusalFilter, limit=SHOWN)
    times = "after", "before"
    country = Country()
    code = Text(validate=one_of(REFUSAL_CODES))
    use_case_id = Id()


def find_messages(
    connection: Connection, current_user: CurrentUser, wanted: MessageFilter
) -> list[MessageDetails]:
    return load_message_details_page(connection, current_user.principal, wanted, current_time())


def find_refusals(
    connection: Connection, current_user: CurrentUser, wanted: RefusalFilter
) -> list[AnyRow]:
    place = current_user.workspace_access
    return [] if place is None else load_refusals(connection, place.workspace_id, wanted)


@routes.get(MESSAGES, VIEWER)
def messages_page(current_user: CurrentUser) -> Response:
    found = _found(current_user, MESSAGES, MessageSearch, find_messages)
    return page_answer("messages/page.html", **found, statuses=options_of("Any status", Status))


@routes.get(REFUSALS, VIEWER)
def refusals_page(current_user: CurrentUser) -> Response:
    found = _found(current_user, REFUSALS, RefusalSearch, find_refusals)
    codes = options_of("Any reason", REFUSAL_CODES)
    return page_answer("messages/refusals.html", **found, codes=codes, refusal_label=refusal_label)


def _found(
    current_user: CurrentUser, path: str, schema: type[DaysSearch], find: Callable[..., Any]
) -> dict[str, Any]:
    with reading() as connection:
        names = load_use_case_names(connection, current_user.principal)
        return searched_list(path, schema, partial(find, connection, current_user)) | {
            "use_cases": names,
            "use_case_options": use_case_options("Any use case", names),
            "countries": named_country_options("Any country"),
        }


@routes.get(MESSAGES + "/{message_id}", VIEWER)
def message_page(
    current_user: CurrentUser,
    message_id: UUID,
    template: str = "messages/message.html",
    seen: str | None = None,
) -> Response:
    now = current_time()
    with reading() as connection:
        found = load_message_details(connection, current_user.principal, message_id, now)
        events = load_events(connection, message_id, PageFilter(EVENTS_SHOWN))
        watched = is_watched(found, now)
        mark = marker(found, events)
        if watched and seen == mark:
            return Response(status=204)
        names = {}
        if seen is None:
            names = load_use_case_names(connection, current_user.principal)
    return page_answer(
        template,
        found=found,
        message=found.message,
        events=events[:EVENTS_SHOWN],
        has_more_events=len(events) > EVENTS_SHOWN,
        marker=mark,
        is_watched=watched,
        use_case=names.get(found.message.use_case_id),
        submission_label=submission_label,
        effect_label=effect_label,
    )


@routes.get(MESSAGES + "/{message_id}/life", VIEWER)
def message_life(current_user: CurrentUser, message_id: UUID) -> Response:
    """204 if it has not changed."""
    return message_page(
        current_user, message_id, "messages/message_life.html", request.args.get("seen")
    )
