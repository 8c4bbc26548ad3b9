"""Pages of messages: search, one message with its events."""

from uuid import UUID

from flask import Response, request

from app.console.messages.labels import effect_label, is_watched, marker, submission_label
from app.console.messages.searches import SHOWN, MessageSearch
from app.console.ui.guards import VIEWER, Pages
from app.console.ui.lists import listed, searched
from app.console.ui.options import named_country_options, options_of, use_case_options
from app.console.ui.pages import page_answer
from app.db.engine import Database
from app.kernel.clock import Clock
from app.kernel.errors import NotFound
from app.messages.meanings import code_meaning, code_page
from app.messages.queries.details import load_message_details, load_message_details_page
from app.messages.queries.read import load_events
from app.providers.port import Status
from app.use_cases.read import load_use_case_names
from app.users.current_user import CurrentUser
from app.web.registry import get_service
from app.web.routes import Answer

routes = Pages()
MESSAGES = "/console/messages"
# No message gets more any more; those from before there was a bound may have thousands.
EVENTS_SHOWN = 100


@routes.get(MESSAGES, VIEWER)
def messages_page(current_user: CurrentUser) -> Answer:
    """List messages, newest first, by a search."""
    form, wanted = searched(MessageSearch)
    with get_service(Database).reading() as connection:
        names = load_use_case_names(connection, current_user.principal)
        found = []
        if wanted is not None:
            now = get_service(Clock).now()
            found = load_message_details_page(connection, current_user.principal, wanted, now)
    shown = listed(MESSAGES, found, SHOWN, lambda one: one.message.id)
    return page_answer(
        current_user,
        "messages/page.html",
        200 if wanted else 422,
        **shown,
        form=form,
        use_cases=names,
        use_case_options=use_case_options("Any use case", names),
        countries=named_country_options("Any country"),
        statuses=options_of("Any status", Status),
        code_meaning=code_meaning,
    )


@routes.get(MESSAGES + "/{message_id}", VIEWER)
def message_page(current_user: CurrentUser, message_id: UUID) -> Answer:
    """Show one message with its life."""
    return _message(current_user, message_id, "messages/message.html")


@routes.get(MESSAGES + "/{message_id}/life", VIEWER)
def message_life(current_user: CurrentUser, message_id: UUID) -> Answer:
    """Render the live part of a message's page; 204 if it has not changed."""
    return _message(
        current_user, message_id, "messages/message_life.html", request.args.get("seen")
    )


def _message(
    current_user: CurrentUser, message_id: UUID, template: str, seen: str | None = None
) -> Response:
    now = get_service(Clock).now()
    with get_service(Database).reading() as connection:
        found = load_message_details(connection, current_user.principal, message_id, now)
        if found is None:
            raise NotFound
        events = load_events(connection, message_id, EVENTS_SHOWN)
        watched = is_watched(found, now)
        mark = marker(found, events)
        if watched and seen == mark:
            return Response(status=204)
        names = {}
        if seen is None:
            names = load_use_case_names(connection, current_user.principal)
    return page_answer(
        current_user,
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
        code_meaning=code_meaning,
        code_page=code_page,
    )
