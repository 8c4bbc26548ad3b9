"""Pages of the policy's history, and restoring a revision."""

from dataclasses import dataclass

from sqlalchemy import Connection

from app.access.roles import Role
from app.console.destinations.confirmation import (
    Trial,
    given_reason,
    is_confirmed,
    make_confirmed,
    try_change,
)
from app.console.destinations.sight import Sight, load_sight, place_of
from app.console.forms import Form, refilled
from app.console.guard import Visits
from app.console.lists import listed
from app.console.navigation import DESTINATIONS
from app.console.pages import go_to, page_answer
from app.db.engine import Database
from app.db.rows import AnyRow
from app.destinations.changes import restore_revision
from app.destinations.history import (
    load_history,
    load_revision,
    rule_changes,
)
from app.destinations.schemas import HistoryFilter, HistoryQuery
from app.kernel.clock import Clock
from app.kernel.errors import (
    DestinationsInherited,
    NotFound,
    RevisionMismatch,
    ValidationFailed,
)
from app.kernel.whole_numbers import read_whole_number
from app.people.visitor import Visitor
from app.web.bodies import Query
from app.web.routes import Answer, Routes
from app.web.wiring import service

routes = Routes("Console", described=False)
PATH = f"{DESTINATIONS}/history"
_QUERY: Query[HistoryFilter] = Query(HistoryQuery)


@routes.add("GET", PATH, guard=Visits(Role.VIEWER), query=_QUERY, answers={200: "text/html"})
def history_page(visitor: Visitor) -> Answer:
    """List the revisions, newest first."""
    wanted = _QUERY.read()
    with service(Database).reading() as connection:
        sight = load_sight(connection, visitor)
        rows = load_history(connection, sight.effective.workspace_id, wanted)
    return page_answer(
        visitor,
        "destinations/history.html",
        sight=sight,
        rule_changes=rule_changes(rows, sight.reader),
        **listed(PATH, rows, wanted.limit, lambda row: row.id),
    )


@routes.add("GET", f"{PATH}/{{revision}}", guard=Visits(Role.VIEWER), answers={200: "text/html"})
def revision_page(visitor: Visitor, revision: str) -> Answer:
    """Show the policy after a revision, and the effect of restoring it."""
    return _page(visitor, _number(revision))


@routes.add(
    "POST",
    f"{PATH}/{{revision}}/restore",
    guard=Visits(Role.ADMIN),
    answers={303: None, **dict.fromkeys((409, 412, 422), "text/html")},
    errors=(NotFound,),
)
def restore(visitor: Visitor, revision: str) -> Answer:
    """Go back to how the policy was after a revision."""
    number = _number(revision)
    change = restore_revision(number, service(Clock).now())
    if not is_confirmed(_text(number)):
        form = Form(errors={"": ["Review the effect, then restore."]})
        return _page(visitor, number, 422, form)
    try:
        changed = make_confirmed(visitor, place_of(visitor), change, given_reason())
    except RevisionMismatch:
        return _page(visitor, number, 412)
    except DestinationsInherited as inherited:
        return _page(visitor, number, 409, Form(errors={"": [inherited.text]}))
    except ValidationFailed as problem:
        return _page(visitor, number, 422, refilled(problem))
    told = f"Revision {number} is restored as revision {changed.effective.revision}."
    return go_to(PATH, told)


@dataclass(frozen=True, slots=True)
class _Look:
    sight: Sight
    row: AnyRow
    trial: Trial | None


def _look(connection: Connection, visitor: Visitor, number: int) -> _Look:
    sight = load_sight(connection, visitor)
    workspace_id = sight.effective.workspace_id
    row = load_revision(connection, workspace_id, number)
    trial = None
    if sight.may_change:
        change = restore_revision(number, sight.now)
        trial = try_change(connection, visitor, workspace_id, change, _text(number))
    return _Look(sight, row, trial)


def _page(visitor: Visitor, number: int, status: int = 200, form: Form | None = None) -> Answer:
    with service(Database).reading() as connection:
        look = _look(connection, visitor, number)
    return page_answer(
        visitor,
        "destinations/revision.html",
        status,
        sight=look.sight,
        row=look.row,
        trial=look.trial,
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
