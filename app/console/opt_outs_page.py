"""The page of opt-outs."""

from typing import Any
from uuid import UUID

from flask import Response, request
from marshmallow import post_load

from app.access.actor import actor_of
from app.access.roles import Role
from app.console.forms import Form, refilled
from app.console.guard import Visits
from app.console.lists import listed, searched
from app.console.pages import go_to, page_answer
from app.console.typed_number import TypedNumber, tidy_number
from app.db.engine import Database
from app.kernel.clock import Clock
from app.kernel.errors import NotFound, ValidationFailed
from app.people.visitor import Visitor
from app.use_cases.manage_opt_outs import enter_opt_out, lift_opt_out
from app.use_cases.opt_outs import NewOptOut, OptOutFilter, OptOutSource, load_opt_outs
from app.use_cases.read import UseCaseFilter, load_use_cases
from app.use_cases.schemas import OptOutBody
from app.web.bodies import load
from app.web.fields import Id, StrictSchema
from app.web.pages import PageToken
from app.web.routes import Answer, Routes
from app.web.wiring import service

routes = Routes("Console", described=False)
OPT_OUTS = "/console/opt-outs"
_SHOWN = 50
_MOST_USE_CASES = 500
_SOURCES = {
    OptOutSource.KEYWORD: "STOP reply",
    OptOutSource.PROVIDER: "Twilio (error 21610)",
    OptOutSource.CONSOLE: "Added by hand",
    OptOutSource.API: "API",
}


class OptOutSearch(StrictSchema):
    """Query of the page."""

    to_number = TypedNumber()
    use_case_id = Id()
    page_token = PageToken(load_default=None)

    @post_load
    def _make(self, data: dict[str, object], **_: object) -> OptOutFilter:
        return OptOutFilter(limit=_SHOWN, **data)  # type: ignore[arg-type]


@routes.add("GET", OPT_OUTS, guard=Visits(Role.VIEWER), answers={200: "text/html"})
def opt_outs_page(visitor: Visitor) -> Answer:
    """List opt-outs, newest first, by a search."""
    search, wanted = searched(OptOutSearch)
    return _page(visitor, wanted, 200 if wanted else 422, search=search)


@routes.add("POST", OPT_OUTS, guard=Visits(Role.ADMIN), answers={303: None})
def enter_number(visitor: Visitor) -> Answer:
    """Put a number on the list."""
    principal, now = visitor.principal, service(Clock).now()
    try:
        wanted = _read_opt_out()
        with service(Database).writing() as connection:
            enter_opt_out(connection, principal, wanted, actor=actor_of(principal), now=now)
    except ValidationFailed as problem:
        return _page(visitor, OptOutFilter(limit=_SHOWN), 422, form=refilled(problem))
    return go_to(OPT_OUTS, "Opt-out added. Sends to this number are refused.")


@routes.add(
    "POST",
    OPT_OUTS + "/{opt_out_id}/remove",
    guard=Visits(Role.ADMIN),
    answers={303: None},
    errors=(NotFound,),
)
def lift_number(visitor: Visitor, opt_out_id: UUID) -> Answer:
    """Take a number off the list."""
    principal, now = visitor.principal, service(Clock).now()
    with service(Database).writing() as connection:
        lift_opt_out(connection, principal, opt_out_id, actor=actor_of(principal), now=now)
    return go_to(OPT_OUTS, "Opt-out removed.")


def source_words(source: str) -> str:
    """Say how an opt-out came to us."""
    return _SOURCES.get(source, source)  # type: ignore[call-overload, no-any-return]


def _read_opt_out() -> NewOptOut:
    given = {"to_number": tidy_number(request.form.get("to_number", ""))}
    if request.form.get("use_case_id"):
        given["use_case_id"] = request.form["use_case_id"]
    found: NewOptOut = load(OptOutBody(), given | {"source": OptOutSource.CONSOLE.value})
    return found


def _page(
    visitor: Visitor, wanted: OptOutFilter | None, status: int = 200, **forms: Form
) -> Response:
    shown: dict[str, Any] = {"search": Form(), "form": Form()} | forms
    all_of_them = UseCaseFilter(limit=_MOST_USE_CASES)
    with service(Database).reading() as connection:
        use_cases = load_use_cases(connection, visitor.principal, all_of_them)
        found = [] if wanted is None else load_opt_outs(connection, visitor.principal, wanted)
    shown |= listed(OPT_OUTS, found, _SHOWN, lambda row: row.id)
    return page_answer(
        visitor,
        "opt_outs.html",
        status,
        names={one.row.id: one.row.name for one in use_cases},
        source_words=source_words,
        **shown,
    )
