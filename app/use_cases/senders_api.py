"""Routes of the sender pools of use cases."""

from uuid import UUID

from app.access.guard import ADMIN, VIEWER
from app.access.principal import Principal, actor_of
from app.db.engine import Database
from app.kernel import errors as e
from app.kernel.clock import Clock
from app.use_cases.api import render_sender
from app.use_cases.schemas import SenderBody, SenderListQuery, SenderPage, SenderView
from app.use_cases.sender_pool import (
    NewSender,
    SenderFilter,
    add_sender,
    load_senders,
    remove_sender,
)
from app.web.pages import page
from app.web.registry import get_service
from app.web.routes import Json, Routes

routes = Routes("Use cases")
PATH = "/v1/use-cases/{use_case_id}/senders"


@routes.add(
    "GET", PATH, VIEWER, {200: SenderPage}, query=SenderListQuery, errors=(e.UseCaseNotFound,)
)
def list_senders(principal: Principal, use_case_id: UUID, query: SenderFilter) -> Json:
    """List the sender pool of a use case, oldest first."""
    with get_service(Database).reading() as connection:
        found = load_senders(connection, principal, use_case_id, query)
    return page(found, query.limit, render_sender)


@routes.add("POST", PATH, ADMIN, {201: SenderView}, body=SenderBody, errors=(e.UseCaseNotFound,))
def post_sender(principal: Principal, use_case_id: UUID, body: NewSender) -> Json:
    """Put a sender into the pool of a use case."""
    actor, now = actor_of(principal), get_service(Clock).now()
    with get_service(Database).writing() as connection:
        row = add_sender(connection, principal, use_case_id, body, actor=actor, now=now)
    return render_sender(row)


@routes.add(
    "DELETE", PATH + "/{sender_id}", ADMIN, {204: None}, errors=(e.UseCaseNotFound, e.NotFound)
)
def delete_sender(principal: Principal, use_case_id: UUID, sender_id: UUID) -> None:
    """Take a sender out of the pool of a use case."""
    actor, now = actor_of(principal), get_service(Clock).now()
    with get_service(Database).writing() as connection:
        remove_sender(connection, principal, use_case_id, sender_id, actor=actor, now=now)
