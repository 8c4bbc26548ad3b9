"""Routes of the opt-out list."""

from typing import Any
from uuid import UUID

from flask import Response

from app.access.guard import Requires
from app.access.principal import Principal, Role, actor_of, shown_number
from app.db.engine import Database
from app.db.rows import AnyRow
from app.kernel import errors as e
from app.kernel.clock import Clock, rfc3339
from app.use_cases.manage_opt_outs import enter_opt_out, lift_opt_out
from app.use_cases.opt_outs import NewOptOut, OptOutFilter, load_opt_outs
from app.use_cases.schemas import OptOutBody, OptOutListQuery, OptOutPage, OptOutView
from app.web.bodies import JsonBody, Query
from app.web.pages import page
from app.web.registry import get_service
from app.web.routes import Answer, Routes, json_answer

routes = Routes("Opt-outs")
_ADD: JsonBody[NewOptOut] = JsonBody(OptOutBody)
_LIST: Query[OptOutFilter] = Query(OptOutListQuery)


@routes.add(
    "GET", "/v1/opt-outs", guard=Requires(Role.VIEWER), query=_LIST, answers={200: OptOutPage}
)
def list_opt_outs(principal: Principal) -> Answer:
    """List opt-outs, newest first."""
    wanted = _LIST.read()
    with get_service(Database).reading() as connection:
        found = load_opt_outs(connection, principal, wanted)

    def shown(row: AnyRow) -> dict[str, Any]:
        return render_opt_out(row, principal)

    return json_answer(page(found, wanted.limit, lambda row: row.id, shown))


@routes.add(
    "POST", "/v1/opt-outs", guard=Requires(Role.ADMIN), body=_ADD, answers={201: OptOutView}
)
def create_opt_out(principal: Principal) -> Answer:
    """Add a number to the opt-out list; an existing entry is kept once."""
    wanted, now = _ADD.read(), get_service(Clock).now()
    with get_service(Database).writing() as connection:
        row = enter_opt_out(connection, principal, wanted, actor=actor_of(principal), now=now)
    return json_answer(render_opt_out(row, principal), 201)


@routes.add(
    "DELETE",
    "/v1/opt-outs/{opt_out_id}",
    guard=Requires(Role.ADMIN),
    answers={204: None},
    errors=(e.NotFound,),
)
def delete_opt_out(principal: Principal, opt_out_id: UUID) -> Answer:
    """Remove a number from the opt-out list."""
    actor, now = actor_of(principal), get_service(Clock).now()
    with get_service(Database).writing() as connection:
        lift_opt_out(connection, principal, opt_out_id, actor=actor, now=now)
    return Response(status=204)


def render_opt_out(row: AnyRow, principal: Principal) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "workspace_id": str(row.workspace_id),
        "use_case_id": None if row.use_case_id is None else str(row.use_case_id),
        "to_number": shown_number(principal.role, row.to_number),
        "source": row.source,
        "created_at": rfc3339(row.created_at),
    }
