"""The page of one use case: obstacles, settings, registrations at Twilio."""

from uuid import UUID

from flask import Response

from app.console.ui.forms import Form, refilled
from app.console.ui.guards import ADMIN, VIEWER, Pages
from app.console.ui.pages import page_answer, redirect_with_flash
from app.console.use_cases.fields import form_of, naming_codes, read_use_case
from app.console.use_cases.labels import SENDER_TYPES, obstacles_of
from app.console.use_cases.page import USE_CASES
from app.db.engine import Database
from app.kernel.clock import Clock
from app.kernel.errors import ValidationFailed
from app.use_cases.manage import change_use_case, delete_use_case, require_use_case
from app.use_cases.refresh import RefreshRegistrations
from app.use_cases.schemas import UseCaseChange
from app.users.current_user import CurrentUser
from app.web.registry import get_service
from app.web.routes import Answer

routes = Pages()
USE_CASE = USE_CASES + "/{use_case_id}"
_NOTHING_TO_ASK = "Cannot refresh: the workspace has no Twilio account, or there is no brand."


@routes.get(USE_CASE, VIEWER)
def use_case_page(current_user: CurrentUser, use_case_id: UUID) -> Answer:
    """Show one use case."""
    return render_use_case_page(current_user, use_case_id)


@routes.post(USE_CASE, ADMIN)
def save_use_case(current_user: CurrentUser, use_case_id: UUID) -> Answer:
    """Change a use case."""
    actor, now = current_user.actor, get_service(Clock).now()
    try:
        wanted = read_use_case(UseCaseChange)
        with get_service(Database).writing() as connection:
            principal = current_user.principal
            change_use_case(connection, principal, use_case_id, wanted, actor=actor, now=now)
    except ValidationFailed as problem:
        return render_use_case_page(
            current_user, use_case_id, 422, form=refilled(naming_codes(problem))
        )
    return redirect_with_flash(f"{USE_CASES}/{use_case_id}", "Saved. In effect for the next send.")


@routes.post(USE_CASE + "/delete", ADMIN)
def drop_use_case(current_user: CurrentUser, use_case_id: UUID) -> Answer:
    """Delete a use case."""
    actor, now = current_user.actor, get_service(Clock).now()
    with get_service(Database).writing() as connection:
        delete_use_case(connection, current_user.principal, use_case_id, actor=actor, now=now)
    return redirect_with_flash(USE_CASES, "Use case deleted. Its messages are kept.")


@routes.post(USE_CASE + "/refresh", ADMIN)
def read_registrations(current_user: CurrentUser, use_case_id: UUID) -> Answer:
    """Read brand and campaign again from Twilio, without holding a connection."""
    with get_service(Database).reading() as connection:
        require_use_case(connection, current_user.principal, use_case_id)
    refresh = get_service(RefreshRegistrations)
    read = refresh(current_user.actor, use_case_id=use_case_id)
    problem = read[0].problem if read else _NOTHING_TO_ASK
    if problem is not None:
        said = (
            f"Twilio did not answer completely: {problem}. Known values are kept."
            if read
            else problem
        )
        return render_use_case_page(
            current_user, use_case_id, 503, registrations=Form({}, {"": [said]})
        )
    told = "Refreshed." if read[0].changed else "Refreshed. Nothing has changed."
    return redirect_with_flash(f"{USE_CASES}/{use_case_id}", told)


def render_use_case_page(
    current_user: CurrentUser, use_case_id: UUID, status: int = 200, **forms: Form
) -> Response:
    """Draw the page, with the forms that were not right.

    Raises:
        UseCaseNotFound: it is absent, deleted or another tenant's.
    """
    with get_service(Database).reading() as connection:
        record = require_use_case(connection, current_user.principal, use_case_id)
    shown = {"form": form_of(record.row), "sender_form": Form(), "registrations": Form()} | forms
    return page_answer(
        current_user,
        "use_cases/one.html",
        status,
        row=record.row,
        senders=record.senders,
        stops=obstacles_of(record),
        sender_types=SENDER_TYPES,
        **shown,
    )
