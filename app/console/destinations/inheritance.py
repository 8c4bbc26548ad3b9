"""The page that switches inheritance from the parent."""

from flask import Response, request

from app.access.principal import Role
from app.console.destinations.confirm import (
    PolicyPreview,
    dry_run_change,
    is_confirmed,
    make_confirmed,
)
from app.console.destinations.view import load_destinations_view, shown_workspace
from app.console.ui.forms import read_reason, refilled
from app.console.ui.guards import ADMIN, VIEWER, Pages
from app.console.ui.pages import DESTINATIONS, Form, page_answer, redirect_with_flash
from app.destinations.changes import SetInheritance
from app.kernel.errors import RevisionMismatch, ValidationFailed
from app.users.current_user import CurrentUser
from app.web.registry import reading

routes = Pages()
PATH = f"{DESTINATIONS}/inheritance"


@routes.get(PATH, VIEWER)
def inheritance_page(current_user: CurrentUser) -> Response:
    """Show which workspace owns the policy, and the effect of switching."""
    return _page(current_user)


@routes.post(PATH, ADMIN)
def switch_inheritance(current_user: CurrentUser) -> Response:
    """Inherit the parent's policy, or start an own one from a copy of it."""
    inherit = request.form.get("inherit") == "true"
    if not is_confirmed(_text(inherit=inherit)):
        return _page(current_user, 422, Form(errors={"": ["Review the effect, then confirm."]}))
    try:
        change = SetInheritance(inherit)
        make_confirmed(current_user, shown_workspace(current_user), change, read_reason())
    except RevisionMismatch:
        return _page(current_user, 412)
    except ValidationFailed as problem:
        return _page(current_user, 422, refilled(problem))
    notice = (
        "Now inheriting from the parent."
        if inherit
        else "No longer inheriting. This workspace has its own policy."
    )
    return redirect_with_flash(PATH, notice)


def _page(current_user: CurrentUser, status: int = 200, form: Form | None = None) -> Response:
    dry_run: PolicyPreview | None = None
    with reading() as connection:
        view = load_destinations_view(connection, current_user)
        other = not view.effective.inherits
        if current_user.permits(Role.ADMIN) and (
            view.effective.parent_id or view.effective.inherits
        ):
            change, text = SetInheritance(other), _text(inherit=other)
            dry_run = dry_run_change(
                connection, current_user, view.effective.workspace_id, change, text
            )
    return page_answer(
        current_user,
        "destinations/inheritance.html",
        status,
        view=view,
        dry_run=dry_run,
        form=form or Form(),
        is_stale=status == 412,  # noqa: PLR2004
    )


def _text(*, inherit: bool) -> str:
    return f"inherit {inherit}"
