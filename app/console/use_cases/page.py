"""The page that lists and creates use cases."""

from flask import Response
from marshmallow import post_load

from app.access.actor import actor_of
from app.access.roles import Role
from app.console.forms import Form, read_search, refilled
from app.console.guard import Visits
from app.console.lists import listed
from app.console.pages import go_to, page_answer
from app.console.use_cases.fields import EVERYWHERE, ON, naming_codes, read_use_case
from app.console.use_cases.words import stops_of
from app.db.engine import Database
from app.kernel.clock import Clock
from app.kernel.errors import ValidationFailed
from app.people.visitor import Visitor
from app.use_cases.manage import create_use_case
from app.use_cases.read import UseCaseFilter, load_use_cases
from app.use_cases.schemas import UseCaseBody
from app.web.fields import StrictSchema
from app.web.pages import PageToken
from app.web.routes import Answer, Routes
from app.web.wiring import service

routes = Routes("Console", described=False)
USE_CASES = "/console/use-cases"
_SHOWN = 50
_NEW = Form({"active": ON, "reach": EVERYWHERE})


class UseCaseSearch(StrictSchema):
    """Query of the page."""

    page_token = PageToken(load_default=None)

    @post_load
    def _make(self, data: dict[str, object], **_: object) -> UseCaseFilter:
        return UseCaseFilter(limit=_SHOWN, **data)  # type: ignore[arg-type]


@routes.add("GET", USE_CASES, guard=Visits(Role.VIEWER), answers={200: "text/html"})
def use_cases_page(visitor: Visitor) -> Answer:
    """List use cases, oldest first."""
    return _page(visitor, read_search(UseCaseSearch), _NEW)


@routes.add("POST", USE_CASES, guard=Visits(Role.ADMIN), answers={303: None})
def make_use_case(visitor: Visitor) -> Answer:
    """Make a use case."""
    now = service(Clock).now()
    principal = visitor.principal
    try:
        wanted = read_use_case(UseCaseBody)
        with service(Database).writing() as connection:
            actor = actor_of(principal)
            made = create_use_case(connection, principal, wanted, actor=actor, now=now)
    except ValidationFailed as problem:
        form = refilled(naming_codes(problem))
        return _page(visitor, UseCaseFilter(limit=_SHOWN), form, 422)
    return go_to(f"{USE_CASES}/{made.use_case_id}", "Use case created. Add a sender.")


def _page(visitor: Visitor, wanted: UseCaseFilter, form: Form, status: int = 200) -> Response:
    with service(Database).reading() as connection:
        found = load_use_cases(connection, visitor.principal, wanted)
    shown = listed(USE_CASES, found, _SHOWN, lambda one: one.use_case_id)
    return page_answer(
        visitor,
        "use_cases/list.html",
        status,
        **shown,
        form=form,
        stops_of=stops_of,
    )
