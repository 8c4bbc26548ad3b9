"""Suspending and resuming the shown workspace."""

from app.console.destinations.page import show
from app.console.destinations.view import shown_workspace
from app.console.ui.forms import read_form, refilled
from app.console.ui.guards import ADMIN, Pages
from app.console.ui.pages import DESTINATIONS, redirect_with_flash, wanted_page
from app.kernel.errors import ValidationFailed
from app.tenancy.api import ReasonBody
from app.tenancy.workspaces import set_suspended
from app.users.current_user import CurrentUser
from app.web.database import writing
from app.web.routes import Answer

routes = Pages()


@routes.post(f"{DESTINATIONS}/suspend", ADMIN, aliases=(f"{DESTINATIONS}/freeze",))
def suspend(current_user: CurrentUser) -> Answer:
    return _set(current_user, suspended=True, notice="Suspended. Every send is refused.")


@routes.post(f"{DESTINATIONS}/resume", ADMIN, aliases=(f"{DESTINATIONS}/thaw",))
def resume(current_user: CurrentUser) -> Answer:
    return _set(current_user, suspended=False, notice="Resumed. Sends are accepted again.")


def _set(current_user: CurrentUser, *, suspended: bool, notice: str) -> Answer:
    workspace_id = shown_workspace(current_user)
    try:
        reason: str = read_form(ReasonBody)
    except ValidationFailed as problem:
        return show(current_user, status=422, suspension_form=refilled(problem))
    with writing() as (connection, now):
        set_suspended(
            connection,
            workspace_id,
            suspended=suspended,
            reason=reason.strip(),
            actor=current_user.actor,
            now=now,
        )
    return redirect_with_flash(wanted_page(DESTINATIONS), notice)
