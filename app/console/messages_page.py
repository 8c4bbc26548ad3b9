"""Pages of messages: search, one message with its events."""

from uuid import UUID

from flask import Response, request

from app.access.roles import Role
from app.console.choices import choices_of, country_choices, use_case_choices
from app.console.guard import Visits
from app.console.lists import listed, searched
from app.console.message_words import effect_words, is_watched, marker, submission_words
from app.console.pages import page_answer
from app.console.searches import SHOWN, MessageSearch
from app.db.engine import Database
from app.kernel.clock import Clock
from app.kernel.errors import NotFound
from app.messages.code_meanings import code_meaning, code_page
from app.messages.inspection import load_inspected, load_inspected_page
from app.messages.lifecycle import Status
from app.messages.read import load_events
from app.people.visitor import Visitor
from app.use_cases.read import load_use_case_names
from app.web.routes import Answer, Routes
from app.web.wiring import service

routes = Routes("Console", described=False)
MESSAGES = "/console/messages"
# No message gets more any more; those from before there was a bound may have thousands.
EVENTS_SHOWN = 100


@routes.add("GET", MESSAGES, guard=Visits(Role.VIEWER), answers={200: "text/html"})
def messages_page(visitor: Visitor) -> Answer:
    """List messages, newest first, by a search."""
    form, wanted = searched(MessageSearch)
    with service(Database).reading() as connection:
        names = load_use_case_names(connection, visitor.principal)
        found = []
        if wanted is not None:
            now = service(Clock).now()
            found = load_inspected_page(connection, visitor.principal, wanted, now)
    shown = listed(MESSAGES, found, SHOWN, lambda one: one.message.id)
    return page_answer(
        visitor,
        "messages.html",
        200 if wanted else 422,
        **shown,
        form=form,
        use_cases=names,
        use_case_choices=use_case_choices("Any use case", names),
        countries=country_choices("Any country"),
        statuses=choices_of("Any status", Status),
        code_meaning=code_meaning,
    )


@routes.add(
    "GET",
    MESSAGES + "/{message_id}",
    guard=Visits(Role.VIEWER),
    answers={200: "text/html"},
    errors=(NotFound,),
)
def message_page(visitor: Visitor, message_id: UUID) -> Answer:
    """Show one message with its life."""
    return _message(visitor, message_id, "message.html")


@routes.add(
    "GET",
    MESSAGES + "/{message_id}/life",
    guard=Visits(Role.VIEWER),
    answers={200: "text/html", 204: None},
    errors=(NotFound,),
)
def message_life(visitor: Visitor, message_id: UUID) -> Answer:
    """Render the live part of a message's page; 204 if it has not changed."""
    return _message(visitor, message_id, "message_life.html", request.args.get("seen"))


def _message(
    visitor: Visitor, message_id: UUID, template: str, seen: str | None = None
) -> Response:
    now = service(Clock).now()
    with service(Database).reading() as connection:
        found = load_inspected(connection, visitor.principal, message_id, now)
        if found is None:
            raise NotFound
        events = load_events(connection, message_id, EVENTS_SHOWN)
        watched = is_watched(found, now)
        mark = marker(found, events)
        if watched and seen == mark:
            return Response(status=204)
        names = {}
        if seen is None:
            names = load_use_case_names(connection, visitor.principal)
    return page_answer(
        visitor,
        template,
        found=found,
        message=found.message,
        events=events[:EVENTS_SHOWN],
        has_more_events=len(events) > EVENTS_SHOWN,
        marker=mark,
        is_watched=watched,
        use_case=names.get(found.message.use_case_id),
        submission_words=submission_words,
        effect_words=effect_words,
        code_meaning=code_meaning,
        code_page=code_page,
    )
