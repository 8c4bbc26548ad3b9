"""The page of what was turned away: counts of the last 30 days, and the latest refusals."""

from collections import Counter
from urllib.parse import urlencode

from flask import request

from app.access.roles import Role
from app.console.destinations.sight import load_sight
from app.console.guard import Visits
from app.console.navigation import DESTINATIONS
from app.console.pages import link, page_answer
from app.db.engine import Database
from app.destinations.refused import COUNTED_DAYS, RefusalFilter, load_counts, load_refusals
from app.destinations.schemas import RefusalQuery
from app.people.visitor import Visitor
from app.web.bodies import Query
from app.web.pages import page
from app.web.routes import Answer, Routes
from app.web.wiring import service

routes = Routes("Console", described=False)
PATH = f"{DESTINATIONS}/refusals"
_QUERY: Query[RefusalFilter] = Query(RefusalQuery)


@routes.add("GET", PATH, guard=Visits(Role.VIEWER), query=_QUERY, answers={200: "text/html"})
def refusals_page(visitor: Visitor) -> Answer:
    """Show what was turned away."""
    wanted = _QUERY.read()
    with service(Database).reading() as connection:
        sight = load_sight(connection, visitor)
        workspace_id = sight.effective.workspace_id
        rows = load_refusals(connection, workspace_id, wanted)
        counts = load_counts(connection, workspace_id, sight.now)
    found = page(rows, wanted.limit, lambda row: row.id, lambda row: row)
    token = found["next_page_token"]
    totals: Counter[tuple[str | None, str]] = Counter()
    for count in counts:
        totals[count["country"], count["code"]] += count["refusals"]
    return page_answer(
        visitor,
        "destinations/refusals.html",
        sight=sight,
        totals=totals.most_common(),
        days=COUNTED_DAYS,
        rows=found["items"],
        next_path=link(f"{PATH}?{_query(token)}") if token else None,
        is_first=wanted.page_token is None,
    )


def _query(token: str) -> str:
    return urlencode({**request.args, "page_token": token})
