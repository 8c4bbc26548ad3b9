"""Routes of the sender pools of use cases."""

from uuid import UUID

from flask import Response

from app.access.guard import Requires
from app.access.principal import Principal, Role, actor_of
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
from app.web.bodies import JsonBody, Query
from app.web.pages import page
from app.web.registry import get_service
from app.web.routes import Answer, Routes, json_answer

routes = Routes("Use cases")
PATH = "/v1/use-cases/{use_case_id}/senders"
_ADD: JsonBody[NewSender] = JsonBody(SenderBody)
_LIST: Query[SenderFilter] = Query(SenderListQuery)


@routes.add(
    "GET",
    PATH,
    guard=Requires(Role.VIEWER),
    query=_LIST,
    answers={200: SenderPage},
    errors=(e.UseCaseNotFound,),
)
def list_senders(principal: Principal, use_case_id: UUID) -> Answer:
    """List the sender pool of a use case, oldest first."""
    wanted = _LIST.read()
    with get_service(Database).reading() as connection:
        found = load_senders(connection, principal, use_case_id, wanted)
    return json_answer(page(found, wanted.limit, lambda row: row.id, render_sender))


@routes.add(
    "POST",
    PATH,
    guard=Requires(Role.ADMIN),
    body=_ADD,
    answers={201: SenderView},
    errors=(e.UseCaseNotFound,),
)
def post_sender(principal: Principal, use_case_id: UUID) -> Answer:
    """Add a sender to the pool of a use case."""
    wanted, actor, now = _ADD.read(), actor_of(principal), get_service(Clock).now()
    with get_service(Database).writing() as connection:
        row = add_sender(connection, principal, use_case_id, wanted, actor=actor, now=now)
    return json_answer(render_sender(row), 201)


@routes.add(
    "DELETE",
    PATH + "/{sender_id}",
    guard=Requires(Role.ADMIN),
    answers={204: None},
    errors=(e.UseCaseNotFound, e.NotFound),
)
def delete_sender(principal: Principal, use_case_id: UUID, sender_id: UUID) -> Answer:
    """Remove a sender from the pool of a use case."""
    actor, now = actor_of(principal), get_service(Clock).now()
    with get_service(Database).writing() as connection:
        remove_sender(connection, principal, use_case_id, sender_id, actor=actor, now=now)
    return Response(status=204)
