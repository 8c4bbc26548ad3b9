"""The overview of a workspace, with its charts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from flask import Response
from sqlalchemy import Connection

from app.access.principal import Principal
from app.console.destinations.view import shown_workspace
from app.console.overview.figures import (
    BASELINE_DAYS,
    FALL_DAYS,
    Figures,
    Period,
    falls_of,
    figures_of,
    series_of,
)
from app.console.ui.forms import read_search
from app.console.ui.guards import VIEWER, Pages
from app.console.ui.pages import grouped, page_answer
from app.db.rows import AnyRow
from app.destinations.refusals import load_counts
from app.guards.states import load_guard_states
from app.kernel.countries import country_name
from app.messages.queries.details import load_message_details_page, load_stuck, load_without_receipt
from app.messages.queries.read import MessageFilter
from app.messages.usage import SlotCount, load_slot_counts, load_spend, load_worker_signs
from app.prices.price_table import MILLION, amount_text
from app.settings import Settings
from app.use_cases.read import load_use_case_names
from app.users.current_user import CurrentUser
from app.web.fields import Choice, StrictSchema
from app.web.registry import current_time, get_service, reading
from app.webhooks.endpoints import EndpointFilter, load_endpoints

_STATUSES = (
    ("delivered", "Delivered"),
    ("undelivered", "Undelivered"),
    ("failed", "Failed"),
    ("on_the_way", "In transit"),
)
routes = Pages()
_LISTED = 10
_MOST_ENDPOINTS = 50
_MOST_GROUPS = 6
_MOST_FALLS = 5
# A worker has a heartbeat every ten seconds.
_SILENT_FOR = timedelta(minutes=1)


class Kind(StrEnum):
    BARS = "bars"
    RATE = "rate"
    MONEY = "money"


@dataclass(frozen=True, slots=True)
class Chart:
    """Columns as (colour name, label), and a row of values for each slot."""

    title: str
    unit: str
    kind: Kind
    columns: Sequence[tuple[str, str]]
    rows: Sequence[tuple[datetime, Sequence[float | None]]]


def by_status(figures: Figures) -> Chart:
    rows = [(at, [getattr(sums, name) for name, _ in _STATUSES]) for at, sums in figures.slots]
    return Chart("Messages by status", "Messages", Kind.BARS, _STATUSES, rows)


def by_group(title: str, figures: Figures, series: Sequence[tuple[str, Sequence[int]]]) -> Chart:
    columns = [(str(place + 1), label) for place, (label, _) in enumerate(series)]
    rows = [
        (at, [values[place] for _, values in series]) for place, (at, _) in enumerate(figures.slots)
    ]
    return Chart(title, "Messages", Kind.BARS, columns, rows)


def delivery_rate(figures: Figures) -> Chart:
    rows = [
        (at, [None if sums.rate is None else round(100 * sums.rate, 1)])
        for at, sums in figures.slots
    ]
    return Chart("Delivery rate", "Percent", Kind.RATE, [("delivered", "Delivered")], rows)


def refusals(figures: Figures) -> Chart:
    rows = [(at, [sums.refusals]) for at, sums in figures.slots]
    return Chart("Refused sends", "Sends", Kind.BARS, [("refused", "Refused")], rows)


def spend_chart(figures: Figures, currency: str) -> Chart:
    rows = [(at, [round(sums.cost / MILLION, 4)]) for at, sums in figures.slots]
    return Chart("Spend (estimated)", currency, Kind.MONEY, [("spent", "Spent")], rows)


class By(StrEnum):
    STATUS = "status"
    COUNTRY = "country"
    USE_CASE = "use_case"


class OverviewQuery(StrictSchema):
    period = Choice(Period, load_default=Period.MONTH)
    by = Choice(By, load_default=By.STATUS)


@routes.get("/console", VIEWER)
def overview_page(current_user: CurrentUser) -> Response:
    now = current_time()
    if current_user.workspace_access is None:
        return page_answer("overview/without_workspace.html")
    wanted = read_search(OverviewQuery)
    period, by = wanted["period"], wanted["by"]
    workspace_id, principal = current_user.workspace_access.workspace_id, current_user.principal
    starts = period.slots(now)
    with reading() as connection:
        first_day = now.date() - timedelta(days=max(period.days, FALL_DAYS + BASELINE_DAYS) - 1)
        load = partial(load_slot_counts, connection, workspace_id, by="country")
        days = counts = load(first_day)
        refused = []
        if period is Period.DAY:
            counts = load(now.date() - timedelta(days=1), hourly=True)
        else:
            refused = load_counts(connection, workspace_id, now, period.days)
        figures = figures_of(counts, refused, starts)
        signs = load_worker_signs(connection)
        spend = load_spend(connection, workspace_id, starts[0].date())
        values: dict[str, Any] = {
            "stuck": load_stuck(connection, principal, now, _LISTED),
            "without_receipt": load_without_receipt(connection, principal, now, _LISTED),
            "endpoints": load_endpoints(connection, principal, EndpointFilter(_MOST_ENDPOINTS)),
            "spend": spend,
            "first_steps": _first_steps(connection, principal, figures, now),
            "charts": _charts(connection, current_user, figures, counts, (period, by)),
            "guards": load_guard_states(connection, workspace_id, now),
        }
    spent = spend.spent
    if spend.currency is not None:
        spent = [f"{grouped(amount_text(figures.total.cost))} {spend.currency}"]
        values["charts"].append(spend_chart(figures, spend.currency))
    beat = signs.heartbeat_at
    return page_answer(
        "overview/page.html",
        period=period,
        by=by,
        periods=Period,
        bys={By.STATUS: "Status", By.COUNTRY: "Country", By.USE_CASE: "Use case"},
        figures=figures,
        spent=spent,
        falls=falls_of(days, now.date())[:_MOST_FALLS],
        signs=signs,
        is_worker_silent=beat is None or now - beat > _SILENT_FOR,
        endpoint_state=endpoint_state,
        host_of=lambda url: urlsplit(url).hostname or "",
        **values,
    )


def _first_steps(
    connection: Connection, principal: Principal, figures: Figures, now: datetime
) -> dict[str, Any] | None:
    """None once the workspace has sent."""
    if not figures.is_empty:
        return None
    if load_message_details_page(connection, principal, MessageFilter(limit=1), now):
        return None
    names = load_use_case_names(connection, principal)
    return {"use_case_id": next(iter(names), None), "public_url": get_service(Settings).public_url}


def _charts(
    connection: Connection,
    current_user: CurrentUser,
    figures: Figures,
    counts: Sequence[SlotCount],
    manner: tuple[Period, By],
) -> list[Chart]:
    period, by = manner
    starts = [at for at, _ in figures.slots]
    if by is By.COUNTRY:
        groups = series_of(counts, starts, _MOST_GROUPS)
        named = [(_country_label(code), values) for code, values in groups]
        first = by_group("Messages by country", figures, named)
    elif by is By.USE_CASE:
        names = load_use_case_names(connection, current_user.principal)
        found = load_slot_counts(
            connection,
            shown_workspace(current_user),
            starts[0].date(),
            by="use_case_id",
            hourly=period is Period.DAY,
        )
        groups = series_of(found, starts, _MOST_GROUPS)
        named = [(_use_case_label(key, names), values) for key, values in groups]
        first = by_group("Messages by use case", figures, named)
    else:
        first = by_status(figures)
    if period is Period.DAY:
        return [first, delivery_rate(figures)]
    return [first, delivery_rate(figures), refusals(figures)]


def _country_label(code: str | None) -> str:
    if code is None:
        return "Other countries"
    return country_name(code) if code else "No country"


def _use_case_label(key: str | None, names: Mapping[UUID, str]) -> str:
    if key is None:
        return "Other use cases"
    return names.get(UUID(key)) or "Deleted use case"


def endpoint_state(endpoint: AnyRow) -> str:
    if not endpoint.active:
        return "disabled"
    return "active" if endpoint.first_failed_at is None else "failing"
