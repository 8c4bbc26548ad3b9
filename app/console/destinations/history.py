"""Pages of the policy's history, and restoring a revision."""

from dataclasses import dataclass

from flask import Response
from sqlalchemy import Connection

from app.console.destinations.confirm import (
    PolicyPreview,
    dry_run_change,
    is_confirmed,
    make_confirmed,
)
from app.console.destinations.view import DestinationsView, load_destinations_view, shown_workspace
from app.console.ui.forms import listed, read_reason, refilled
from app.console.ui.guards import ADMIN, VIEWER, Pages
from app.console.ui.pages import DESTINATIONS, Form, page_answer, redirect_with_flash
from app.db.rows import AnyRow
from app.destinations.api.document import load_history, rule_changes
from app.destinations.api.schemas import HistoryFilter, HistoryQuery
from app.destinations.changes import RestoreRevision
from app.destinations.storage.policies import load_revision
from app.kernel.errors import DestinationsInherited, NotFound, RevisionMismatch, ValidationFailed
from app.kernel.whole_numbers import read_whole_number
from app.users.current_user import CurrentUser
from app.web.registry import reading

routes = Pages()
PATH = f"{DESTINATIONS}/history"


@routes.get(PATH, VIEWER, query=HistoryQuery)
def history_page(current_user: CurrentUser, query: HistoryFilter) -> Response:
    with reading() as connection:
        view = load_destinations_view(connection, current_user)
        rows = load_history(connection, view.effective.workspace_id, query)
    return page_answer(
        current_user,
        "destinations/history.html",
        view=view,
        rule_changes=rule_changes(rows, view.reader),
        **listed(PATH, rows, query.limit),
    )


@routes.get(f"{PATH}/{{revision}}", VIEWER)
def revision_page(current_user: CurrentUser, revision: str) -> Response:
    """Show the policy after a revision, and the effect of restoring it."""
    return _page(current_user, _number(revision))


@routes.post(f"{PATH}/{{revision}}/restore", ADMIN)
def restore_from_page(current_user: CurrentUser, revision: str) -> Response:
    number = _number(revision)
    change = RestoreRevision(number)
    if not is_confirmed(_text(number)):
        form = Form(errors={"": ["Review the effect, then restore."]})
        return _page(current_user, number, 422, form)
    try:
        changed = make_confirmed(current_user, shown_workspace(current_user), change, read_reason())
    except RevisionMismatch:
        return _page(current_user, number, 412)
    except DestinationsInherited as inherited:
        return _page(current_user, number, 409, Form(errors={"": [inherited.text]}))
    except ValidationFailed as problem:
        return _page(current_user, number, 422, refilled(problem))
    notice = f"Revision {number} is restored as revision {changed.effective.revision}."
    return redirect_with_flash(PATH, notice)


@dataclass(frozen=True, slots=True)
class _RevisionView:
    view: DestinationsView
    row: AnyRow
    dry_run: PolicyPreview | None


def _revision_view(connection: Connection, current_user: CurrentUser, number: int) -> _RevisionView:
    view = load_destinations_view(connection, current_user)
    workspace_id = view.effective.workspace_id
    row = load_revision(connection, workspace_id, number)
    dry_run = None
    if view.may_change:
        change = RestoreRevision(number)
        dry_run = dry_run_change(connection, current_user, workspace_id, change, _text(number))
    return _RevisionView(view, row, dry_run)


def _page(
    current_user: CurrentUser, number: int, status: int = 200, form: Form | None = None
) -> Response:
    with reading() as connection:
        look = _revision_view(connection, current_user, number)
    return page_answer(
        current_user,
        "destinations/revision.html",
        status,
        view=look.view,
        row=look.row,
        dry_run=look.dry_run,
        form=form or Form(),
        is_stale=status == 412,  # noqa: PLR2004
    )


def _number(revision: str) -> int:
    found = read_whole_number(revision)
    if found is None:
        raise NotFound
    return found


def _text(number: int) -> str:
    return f"restore {number}"
