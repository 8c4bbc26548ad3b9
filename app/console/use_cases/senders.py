"""Adding and removing senders on the page of a use case."""

from uuid import UUID

from flask import request

from app.access.principal import actor_of
from app.console.ui.forms import refilled, without_separators
from app.console.ui.guards import ADMIN, Pages
from app.console.ui.pages import redirect_with_flash
from app.console.use_cases.one import USE_CASE, render_use_case_page
from app.console.use_cases.page import USE_CASES
from app.db.engine import Database
from app.kernel.clock import Clock
from app.kernel.errors import ValidationFailed
from app.use_cases.eligibility import SenderType
from app.use_cases.schemas import SenderBody
from app.use_cases.sender_pool import NewSender, add_sender, remove_sender
from app.users.current_user import CurrentUser
from app.web.bodies import load
from app.web.registry import get_service
from app.web.routes import Answer

routes = Pages()


@routes.post(USE_CASE + "/senders", ADMIN)
def put_sender(current_user: CurrentUser, use_case_id: UUID) -> Answer:
    """Put a sender into the pool."""
    principal, now = current_user.principal, get_service(Clock).now()
    try:
        wanted = _read_sender()
        with get_service(Database).writing() as connection:
            actor = actor_of(principal)
            add_sender(connection, principal, use_case_id, wanted, actor=actor, now=now)
    except ValidationFailed as problem:
        return render_use_case_page(current_user, use_case_id, 422, sender_form=refilled(problem))
    return redirect_with_flash(f"{USE_CASES}/{use_case_id}", "Sender added.")


@routes.post(USE_CASE + "/senders/{sender_id}/remove", ADMIN)
def take_sender(current_user: CurrentUser, use_case_id: UUID, sender_id: UUID) -> Answer:
    """Take a sender out of the pool."""
    principal, now = current_user.principal, get_service(Clock).now()
    with get_service(Database).writing() as connection:
        actor = actor_of(principal)
        remove_sender(connection, principal, use_case_id, sender_id, actor=actor, now=now)
    return redirect_with_flash(f"{USE_CASES}/{use_case_id}", "Sender removed.")


def _read_sender() -> NewSender:
    kind, number = request.form.get("type", ""), request.form.get("number", "").strip()
    # Spaces and hyphens mean something in alphanumeric senders only.
    tidied = number if kind == SenderType.ALPHANUMERIC else without_separators(number)
    found: NewSender = load(SenderBody(), {"number": tidied, "type": kind})
    return found
