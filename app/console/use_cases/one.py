"""The page of one use case: obstacles, settings, registrations at Twilio."""

from uuid import UUID

from flask import Response

from app.access.roles import Role
from app.console.forms import Form, refilled
from app.console.guard import Visits
from app.console.pages import go_to, page_answer
from app.console.use_cases.fields import form_of, naming_codes, read_use_case
from app.console.use_cases.page import USE_CASES
from app.console.use_cases.words import SENDER_TYPES, stops_of
from app.db.engine import Database
from app.kernel.clock import Clock
from app.kernel.errors import UseCaseNotFound, ValidationFailed
from app.people.visitor import Visitor
from app.use_cases.manage import change_use_case, delete_use_case, require_use_case
from app.use_cases.refresh import RefreshRegistrations
from app.use_cases.schemas import UseCaseChange
from app.web.routes import Answer, Routes
from app.web.wiring import service

routes = Routes("Console", described=False)
USE_CASE = USE_CASES + "/{use_case_id}"
_NOTHING_TO_ASK = "Cannot refresh: the workspace has no Twilio account, or there is no brand."


@routes.add(
    "GET",
    USE_CASE,
    guard=Visits(Role.VIEWER),
    answers={200: "text/html"},
    errors=(UseCaseNotFound,),
)
def use_case_page(visitor: Visitor, use_case_id: UUID) -> Answer:
    """Show one use case."""
    return draw_use_case(visitor, use_case_id)


@routes.add(
    "POST",
    USE_CASE,
    guard=Visits(Role.ADMIN),
    answers={303: None},
    errors=(UseCaseNotFound,),
)
def save_use_case(visitor: Visitor, use_case_id: UUID) -> Answer:
    """Change a use case."""
    actor, now = visitor.actor, service(Clock).now()
    try:
        wanted = read_use_case(UseCaseChange)
        with service(Database).writing() as connection:
            principal = visitor.principal
            change_use_case(connection, principal, use_case_id, wanted, actor=actor, now=now)
    except ValidationFailed as problem:
        return draw_use_case(visitor, use_case_id, 422, form=refilled(naming_codes(problem)))
    return go_to(f"{USE_CASES}/{use_case_id}", "Saved. In effect for the next send.")


@routes.add(
    "POST",
    USE_CASE + "/delete",
    guard=Visits(Role.ADMIN),
    answers={303: None},
    errors=(UseCaseNotFound,),
)
def drop_use_case(visitor: Visitor, use_case_id: UUID) -> Answer:
    """Delete a use case."""
    actor, now = visitor.actor, service(Clock).now()
    with service(Database).writing() as connection:
        delete_use_case(connection, visitor.principal, use_case_id, actor=actor, now=now)
    return go_to(USE_CASES, "Use case deleted. Its messages are kept.")


@routes.add(
    "POST",
    USE_CASE + "/refresh",
    guard=Visits(Role.ADMIN),
    answers={303: None, 503: "text/html"},
    errors=(UseCaseNotFound,),
)
def read_registrations(visitor: Visitor, use_case_id: UUID) -> Answer:
    """Read brand and campaign again from Twilio, without holding a connection."""
    with service(Database).reading() as connection:
        require_use_case(connection, visitor.principal, use_case_id)
    refresh = service(RefreshRegistrations)
    read = refresh(visitor.actor, use_case_id=use_case_id)
    problem = read[0].problem if read else _NOTHING_TO_ASK
    if problem is not None:
        said = (
            f"Twilio did not answer completely: {problem}. Known values are kept."
            if read
            else problem
        )
        return draw_use_case(visitor, use_case_id, 503, registrations=Form({}, {"": [said]}))
    told = "Refreshed." if read[0].changed else "Refreshed. Nothing has changed."
    return go_to(f"{USE_CASES}/{use_case_id}", told)


def draw_use_case(
    visitor: Visitor, use_case_id: UUID, status: int = 200, **forms: Form
) -> Response:
    """Draw the page, with the forms that were not right.

    Raises:
        UseCaseNotFound: it is absent, deleted or another tenant's.
    """
    with service(Database).reading() as connection:
        record = require_use_case(connection, visitor.principal, use_case_id)
    shown = {"form": form_of(record.row), "sender_form": Form(), "registrations": Form()} | forms
    return page_answer(
        visitor,
        "use_cases/one.html",
        status,
        row=record.row,
        senders=record.senders,
        stops=stops_of(record),
        sender_types=SENDER_TYPES,
        **shown,
    )
