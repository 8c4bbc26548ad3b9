"""The page that switches inheritance from the parent."""

from flask import request

from app.access.roles import Role
from app.console.destinations.confirmation import (
    Trial,
    given_reason,
    is_confirmed,
    make_confirmed,
    try_change,
)
from app.console.destinations.sight import load_sight, place_of
from app.console.forms import Form, refilled
from app.console.guard import Visits
from app.console.navigation import DESTINATIONS
from app.console.pages import go_to, page_answer
from app.db.engine import Database
from app.destinations.changes import set_inheritance
from app.kernel.errors import RevisionMismatch, ValidationFailed
from app.people.visitor import Visitor
from app.web.routes import Answer, Routes
from app.web.wiring import service

routes = Routes("Console", described=False)
PATH = f"{DESTINATIONS}/inheritance"


@routes.add("GET", PATH, guard=Visits(Role.VIEWER), answers={200: "text/html"})
def inheritance_page(visitor: Visitor) -> Answer:
    """Show which workspace owns the policy, and the effect of switching."""
    return _page(visitor)


@routes.add(
    "POST",
    PATH,
    guard=Visits(Role.ADMIN),
    answers={303: None, **dict.fromkeys((412, 422), "text/html")},
)
def switch_inheritance(visitor: Visitor) -> Answer:
    """Follow the parent, or leave it and start from a copy of its policy."""
    inherit = request.form.get("inherit") == "true"
    if not is_confirmed(_text(inherit=inherit)):
        return _page(visitor, 422, Form(errors={"": ["Review the effect, then confirm."]}))
    try:
        change = set_inheritance(inherit=inherit)
        make_confirmed(visitor, place_of(visitor), change, given_reason())
    except RevisionMismatch:
        return _page(visitor, 412)
    except ValidationFailed as problem:
        return _page(visitor, 422, refilled(problem))
    told = (
        "Now inheriting from the parent."
        if inherit
        else "No longer inheriting. This workspace has its own policy."
    )
    return go_to(PATH, told)


def _page(visitor: Visitor, status: int = 200, form: Form | None = None) -> Answer:
    trial: Trial | None = None
    with service(Database).reading() as connection:
        sight = load_sight(connection, visitor)
        other = not sight.effective.inherits
        if visitor.permits(Role.ADMIN) and (sight.effective.parent_id or sight.effective.inherits):
            change, text = set_inheritance(inherit=other), _text(inherit=other)
            trial = try_change(connection, visitor, sight.effective.workspace_id, change, text)
    return page_answer(
        visitor,
        "destinations/inheritance.html",
        status,
        sight=sight,
        trial=trial,
        form=form or Form(),
        is_stale=status == 412,  # noqa: PLR2004
    )


def _text(*, inherit: bool) -> str:
    return f"inherit {inherit}"
