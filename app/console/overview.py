"""The overview, the first page after sign-in.

It reads the statistics that the worker keeps; it counts nothing itself.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection

from app.access.principal import Principal
from app.access.roles import Role
from app.console.charts import line, stacked
from app.console.figures import Figures, figures_of, first_day
from app.console.guard import Visits
from app.console.pages import page_answer
from app.db.engine import Database
from app.db.rows import AnyRow
from app.destinations.refused import load_counts
from app.kernel.clock import Clock
from app.messages.counted import load_day_counts, load_worker_signs
from app.messages.inspection import (
    load_inspected_page,
    load_stuck,
    load_without_receipt,
)
from app.messages.read import MessageFilter
from app.messages.refusal_meanings import refusal_meaning
from app.messages.usage import load_spend
from app.people.visitor import Visitor
from app.settings import Settings
from app.use_cases.read import load_use_case_names
from app.web.routes import Answer, Routes
from app.web.wiring import service
from app.webhooks.endpoints import EndpointFilter, load_endpoints

routes = Routes("Console", described=False)
_LISTED = 10
_MOST_ENDPOINTS = 50
# A worker says that it is alive every ten seconds.
_SILENT_FOR = timedelta(minutes=1)


@routes.add("GET", "/console", guard=Visits(Role.VIEWER), answers={200: "text/html"})
def overview_page(visitor: Visitor) -> Answer:
    """Show how the workspace is doing."""
    now = service(Clock).now()
    if visitor.place is None:
        return page_answer(visitor, "overview_without_workspace.html")
    workspace_id, principal = visitor.place.workspace_id, visitor.principal
    with service(Database).reading() as connection:
        counts = load_day_counts(connection, workspace_id, first_day(now.date()))
        figures = figures_of(counts, load_counts(connection, workspace_id, now), now.date())
        signs = load_worker_signs(connection)
        values: dict[str, Any] = {
            "stuck": load_stuck(connection, principal, now, _LISTED),
            "without_receipt": load_without_receipt(connection, principal, now, _LISTED),
            "endpoints": load_endpoints(connection, principal, EndpointFilter(_MOST_ENDPOINTS)),
            "spend": load_spend(connection, workspace_id, first_day(now.date())),
            "first_steps": _first_steps(connection, principal, figures, now),
        }
    beat = signs.heartbeat_at
    return page_answer(
        visitor,
        "overview.html",
        figures=figures,
        charts=_charts(figures),
        refusal_meaning=refusal_meaning,
        signs=signs,
        is_worker_silent=beat is None or now - beat > _SILENT_FOR,
        endpoint_state=endpoint_state,
        host_of=lambda url: urlsplit(url).hostname or "",
        **values,
    )


def _first_steps(
    connection: Connection, principal: Principal, figures: Figures, now: datetime
) -> dict[str, Any] | None:
    """Return the first steps for a workspace that has never sent; None for any other."""
    if not figures.is_empty:
        return None
    if load_inspected_page(connection, principal, MessageFilter(limit=1), now):
        return None
    names = load_use_case_names(connection, principal)
    return {"use_case_id": next(iter(names), None), "public_url": service(Settings).public_url}


def _charts(figures: Figures) -> dict[str, Any]:
    def of(name: str) -> Sequence[int]:
        return [getattr(sums, name) for _, sums in figures.days]

    sends = [(name, of(name)) for name in ("delivered", "undelivered", "failed", "on_the_way")]
    return {
        "sends": stacked(sends),
        "rate": line("delivered", [sums.rate for _, sums in figures.days]),
        "refusals": stacked([("refusals", of("refusals"))]),
    }


def endpoint_state(endpoint: AnyRow) -> str:
    """Say in one word how a webhook endpoint is doing."""
    if not endpoint.active:
        return "disabled"
    return "active" if endpoint.first_failed_at is None else "failing"
