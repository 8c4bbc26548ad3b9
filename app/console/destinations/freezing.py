"""Suspending and resuming the shown workspace."""

from app.access.freeze import set_frozen
from app.access.roles import Role
from app.access.workspaces_api import ReasonBody
from app.console.destinations.page import show
from app.console.destinations.sight import place_of
from app.console.forms import read_form, refilled
from app.console.guard import Visits
from app.console.navigation import DESTINATIONS
from app.console.pages import go_to, wanted_page
from app.db.engine import Database
from app.kernel.clock import Clock
from app.kernel.errors import ValidationFailed
from app.people.visitor import Visitor
from app.web.routes import Answer, Routes
from app.web.wiring import service

routes = Routes("Console", described=False)
_ANSWERS = {303: None, 422: "text/html"}


@routes.add(
    "POST",
    f"{DESTINATIONS}/suspend",
    aliases=(f"{DESTINATIONS}/freeze",),
    guard=Visits(Role.ADMIN),
    answers=_ANSWERS,
)
def suspend(visitor: Visitor) -> Answer:
    """Stop all sends of the workspace from the next request on."""
    return _set(visitor, frozen=True, told="Suspended. Every send is refused.")


@routes.add(
    "POST",
    f"{DESTINATIONS}/resume",
    aliases=(f"{DESTINATIONS}/thaw",),
    guard=Visits(Role.ADMIN),
    answers=_ANSWERS,
)
def resume(visitor: Visitor) -> Answer:
    """Let the workspace send again."""
    return _set(visitor, frozen=False, told="Resumed. Sends are accepted again.")


def _set(visitor: Visitor, *, frozen: bool, told: str) -> Answer:
    workspace_id = place_of(visitor)
    try:
        reason: str = read_form(ReasonBody)
    except ValidationFailed as problem:
        return show(visitor, status=422, freezing=refilled(problem))
    with service(Database).writing() as connection:
        set_frozen(
            connection,
            workspace_id,
            frozen=frozen,
            reason=reason.strip(),
            actor=visitor.actor,
            now=service(Clock).now(),
        )
    return go_to(wanted_page(DESTINATIONS), told)
