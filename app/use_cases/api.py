"""Routes of use cases."""

from typing import Any
from uuid import UUID

from flask import Response

from app.access.guard import Requires
from app.access.principal import Principal, Role, actor_of
from app.db.engine import Database
from app.db.rows import AnyRow
from app.kernel import errors as e
from app.kernel.clock import Clock, rfc3339
from app.use_cases.manage import (
    NewUseCase,
    change_use_case,
    create_use_case,
    delete_use_case,
    require_use_case,
)
from app.use_cases.read import StoredUseCase, UseCaseFilter, load_use_cases
from app.use_cases.schemas import (
    UseCaseBody,
    UseCaseChange,
    UseCaseListQuery,
    UseCasePage,
    UseCaseView,
)
from app.web.bodies import JsonBody, Query
from app.web.pages import page
from app.web.registry import get_service
from app.web.routes import Answer, Routes, json_answer

routes = Routes("Use cases")
PATH = "/v1/use-cases"
_ADD: JsonBody[NewUseCase] = JsonBody(UseCaseBody)
_CHANGE: JsonBody[dict[str, Any]] = JsonBody(UseCaseChange)
_LIST: Query[UseCaseFilter] = Query(UseCaseListQuery)


@routes.add("GET", PATH, guard=Requires(Role.VIEWER), query=_LIST, answers={200: UseCasePage})
def list_use_cases(principal: Principal) -> Answer:
    """List use cases, oldest first."""
    wanted = _LIST.read()
    with get_service(Database).reading() as connection:
        found = load_use_cases(connection, principal, wanted)
    return json_answer(
        page(found, wanted.limit, lambda record: record.use_case_id, render_use_case)
    )


@routes.add(
    "GET",
    PATH + "/{use_case_id}",
    guard=Requires(Role.VIEWER),
    answers={200: UseCaseView},
    errors=(e.UseCaseNotFound,),
)
def get_use_case(principal: Principal, use_case_id: UUID) -> Answer:
    """Show one use case."""
    with get_service(Database).reading() as connection:
        return json_answer(render_use_case(require_use_case(connection, principal, use_case_id)))


@routes.add("POST", PATH, guard=Requires(Role.ADMIN), body=_ADD, answers={201: UseCaseView})
def post_use_case(principal: Principal) -> Answer:
    """Create a use case with an empty sender pool."""
    wanted, actor, now = _ADD.read(), actor_of(principal), get_service(Clock).now()
    with get_service(Database).writing() as connection:
        made = create_use_case(connection, principal, wanted, actor=actor, now=now)
    return json_answer(render_use_case(made), 201)


@routes.add(
    "PATCH",
    PATH + "/{use_case_id}",
    guard=Requires(Role.ADMIN),
    body=_CHANGE,
    answers={200: UseCaseView},
    errors=(e.UseCaseNotFound,),
)
def patch_use_case(principal: Principal, use_case_id: UUID) -> Answer:
    """Change a use case; omitted fields stay."""
    wanted, actor, now = _CHANGE.read(), actor_of(principal), get_service(Clock).now()
    with get_service(Database).writing() as connection:
        found = change_use_case(connection, principal, use_case_id, wanted, actor=actor, now=now)
    return json_answer(render_use_case(found))


@routes.add(
    "DELETE",
    PATH + "/{use_case_id}",
    guard=Requires(Role.ADMIN),
    answers={204: None},
    errors=(e.UseCaseNotFound,),
)
def remove_use_case(principal: Principal, use_case_id: UUID) -> Answer:
    """Delete a use case; its messages stay."""
    actor, now = actor_of(principal), get_service(Clock).now()
    with get_service(Database).writing() as connection:
        delete_use_case(connection, principal, use_case_id, actor=actor, now=now)
    return Response(status=204)


def render_use_case(record: StoredUseCase) -> dict[str, Any]:
    row = record.row
    return {
        "id": str(row.id),
        "workspace_id": str(row.workspace_id),
        "name": row.name,
        "messaging_service_sid": row.messaging_service_sid,
        "active": row.active,
        "allowed_destinations": row.allowed_destinations,
        "on_unconfirmed": row.on_unconfirmed,
        "senders": [render_sender(sender) for sender in record.senders],
        "brand": _registration(row.brand_sid, row.brand_status),
        "campaign": _registration(row.campaign_sid, row.campaign_status),
        "created_at": rfc3339(row.created_at),
        "updated_at": rfc3339(row.updated_at),
    }


def render_sender(row: AnyRow) -> dict[str, Any]:
    return {"id": str(row.id), "number": row.number, "type": row.type, "country": row.country}


def _registration(sid: str | None, status: str | None) -> dict[str, str | None] | None:
    return None if sid is None else {"sid": sid, "status": status}
