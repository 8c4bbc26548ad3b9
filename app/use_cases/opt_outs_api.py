"""Routes of the opt-out list."""

from typing import Any
from uuid import UUID

from flask import Response

from app.access.guard import Requires
from app.access.principal import Principal
from app.access.roles import Role
from app.access.scope import chosen_workspace
from app.db.engine import Database
from app.db.rows import AnyRow
from app.kernel import errors as e
from app.kernel.clock import Clock, rfc3339
from app.use_cases.opt_outs import (
    NewOptOut,
    OptOut,
    OptOutFilter,
    add_opt_out,
    find_opt_out,
    load_opt_outs,
    remove_opt_out,
)
from app.use_cases.read import load_use_case
from app.use_cases.schemas import OptOutBody, OptOutListQuery, OptOutPage, OptOutView
from app.web.bodies import JsonBody, Query
from app.web.pages import page
from app.web.routes import Answer, Routes, json_answer
from app.web.wiring import service

routes = Routes("Opt-outs")
_ADD: JsonBody[NewOptOut] = JsonBody(OptOutBody)
_LIST: Query[OptOutFilter] = Query(OptOutListQuery)


@routes.add(
    "GET", "/v1/opt-outs", guard=Requires(Role.VIEWER), query=_LIST, answers={200: OptOutPage}
)
def list_opt_outs(principal: Principal) -> Answer:
    """List recipients who do not want messages, newest first."""
    wanted = _LIST.read()
    with service(Database).reading() as connection:
        found = load_opt_outs(connection, principal, wanted)
    return json_answer(page(found, wanted.limit, lambda row: row.id, render))


@routes.add(
    "POST", "/v1/opt-outs", guard=Requires(Role.ADMIN), body=_ADD, answers={201: OptOutView}
)
def create_opt_out(principal: Principal) -> Answer:
    """Put a number on the opt-out list; the same number twice is one row."""
    wanted = _ADD.read()
    with service(Database).writing() as connection:
        if wanted.use_case_id is None:
            workspace_id = chosen_workspace(
                connection, principal, wanted.workspace_id, "$.workspace_id"
            )
        else:
            use_case = load_use_case(connection, principal, wanted.use_case_id)
            if use_case is None or wanted.workspace_id not in {None, use_case.row.workspace_id}:
                raise e.ValidationFailed({"$.use_case_id": ["There is no such use case."]})
            workspace_id = use_case.row.workspace_id
        opt_out = OptOut(workspace_id, wanted.use_case_id, wanted.to_number, wanted.source)
        add_opt_out(connection, opt_out, service(Clock).now())
        row = find_opt_out(connection, opt_out)
    return json_answer(render(row), 201)


@routes.add(
    "DELETE",
    "/v1/opt-outs/{opt_out_id}",
    guard=Requires(Role.ADMIN),
    answers={204: None},
    errors=(e.NotFound,),
)
def delete_opt_out(principal: Principal, opt_out_id: UUID) -> Answer:
    """Take a number off the opt-out list."""
    with service(Database).writing() as connection:
        if not remove_opt_out(connection, principal, opt_out_id):
            raise e.NotFound
    return Response(status=204)


def render(row: AnyRow) -> dict[str, Any]:
    """Write one opt-out."""
    return {
        "id": str(row.id),
        "workspace_id": str(row.workspace_id),
        "use_case_id": None if row.use_case_id is None else str(row.use_case_id),
        "to_number": row.to_number,
        "source": row.source,
        "created_at": rfc3339(row.created_at),
    }
