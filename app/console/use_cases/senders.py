"""Adding and removing senders on the page of a use case."""

from uuid import UUID

from flask import request

from app.access.actor import actor_of
from app.access.roles import Role
from app.console.forms import refilled
from app.console.guard import Visits
from app.console.pages import go_to
from app.console.typed_number import tidy_number
from app.console.use_cases.one import USE_CASE, draw_use_case
from app.console.use_cases.page import USE_CASES
from app.db.engine import Database
from app.kernel.clock import Clock
from app.kernel.errors import NotFound, UseCaseNotFound, ValidationFailed
from app.people.visitor import Visitor
from app.use_cases.eligibility import SenderType
from app.use_cases.schemas import SenderBody
from app.use_cases.sender_pool import NewSender, add_sender, remove_sender
from app.web.bodies import load
from app.web.routes import Answer, Routes
from app.web.wiring import service

routes = Routes("Console", described=False)


@routes.add(
    "POST",
    USE_CASE + "/senders",
    guard=Visits(Role.ADMIN),
    answers={303: None},
    errors=(UseCaseNotFound,),
)
def put_sender(visitor: Visitor, use_case_id: UUID) -> Answer:
    """Put a sender into the pool."""
    principal, now = visitor.principal, service(Clock).now()
    try:
        wanted = _read_sender()
        with service(Database).writing() as connection:
            actor = actor_of(principal)
            add_sender(connection, principal, use_case_id, wanted, actor=actor, now=now)
    except ValidationFailed as problem:
        return draw_use_case(visitor, use_case_id, 422, sender_form=refilled(problem))
    return go_to(f"{USE_CASES}/{use_case_id}", "Sender added.")


@routes.add(
    "POST",
    USE_CASE + "/senders/{sender_id}/remove",
    guard=Visits(Role.ADMIN),
    answers={303: None},
    errors=(UseCaseNotFound, NotFound),
)
def take_sender(visitor: Visitor, use_case_id: UUID, sender_id: UUID) -> Answer:
    """Take a sender out of the pool."""
    principal, now = visitor.principal, service(Clock).now()
    with service(Database).writing() as connection:
        actor = actor_of(principal)
        remove_sender(connection, principal, use_case_id, sender_id, actor=actor, now=now)
    return go_to(f"{USE_CASES}/{use_case_id}", "Sender removed.")


def _read_sender() -> NewSender:
    kind, number = request.form.get("type", ""), request.form.get("number", "").strip()
    # Spaces and hyphens mean something in alphanumeric senders only.
    tidied = number if kind == SenderType.ALPHANUMERIC else tidy_number(number)
    found: NewSender = load(SenderBody(), {"number": tidied, "type": kind})
    return found
