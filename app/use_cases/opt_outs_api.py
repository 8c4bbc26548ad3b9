"""Routes of the opt-out list."""

from typing import Any
from uuid import UUID

from app.access.guard import ADMIN, VIEWER
from app.access.principal import Principal, shown_number
from app.db.rows import AnyRow
from app.kernel import errors as e
from app.use_cases.manage_opt_outs import enter_opt_out, lift_opt_out
from app.use_cases.opt_outs import NewOptOut, OptOutFilter, load_opt_outs
from app.use_cases.schemas import OptOutBody, OptOutListQuery, OptOutPage, OptOutView
from app.web.database import reading, writing
from app.web.pages import page
from app.web.routes import Json, Routes

routes = Routes("Opt-outs")


@routes.add("GET", "/v1/opt-outs", VIEWER, {200: OptOutPage}, query=OptOutListQuery)
def list_opt_outs(principal: Principal, query: OptOutFilter) -> Json:
    """List opt-outs, newest first."""
    with reading() as connection:
        found = load_opt_outs(connection, principal, query)

    def shown(row: AnyRow) -> dict[str, Any]:
        return render_opt_out(row, principal)

    return page(found, query.limit, shown)


@routes.add("POST", "/v1/opt-outs", ADMIN, {201: OptOutView}, body=OptOutBody)
def create_opt_out(principal: Principal, body: NewOptOut) -> Json:
    """Add a number to the opt-out list; an existing entry is kept once."""
    with writing() as (connection, now):
        row = enter_opt_out(connection, principal, body, now=now)
    return render_opt_out(row, principal)


@routes.add("DELETE", "/v1/opt-outs/{opt_out_id}", ADMIN, {204: None}, errors=(e.NotFound,))
def delete_opt_out(principal: Principal, opt_out_id: UUID) -> None:
    """Remove a number from the opt-out list."""
    with writing() as (connection, now):
        lift_opt_out(connection, principal, opt_out_id, now=now)


def render_opt_out(row: AnyRow, principal: Principal) -> dict[str, Any]:
    return OptOutView.write(row, to_number=shown_number(principal.role, row.to_number))
