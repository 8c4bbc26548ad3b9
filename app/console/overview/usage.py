"""The page of usage, and the same as CSV."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

from flask import Response
from marshmallow import post_load

from app.access.keys import load_key_names
from app.console.destinations.view import shown_workspace
from app.console.ui.forms import DayInput, read_search, searched
from app.console.ui.guards import VIEWER, Pages
from app.console.ui.pages import Form, link, page_answer
from app.kernel.countries import country_name
from app.kernel.errors import ValidationFailed
from app.messages.usage import Dimension, UsageFilter, UsageReport, load_usage
from app.use_cases.read import load_use_case_names
from app.users.current_user import CurrentUser
from app.web.fields import Choice, StrictSchema
from app.web.registry import current_time, reading
from app.web.routes import csv_answer

routes = Pages()
USAGE = "/console/usage"
_DAYS = 30
_LONGEST_DAYS = 400
_MOST = 500
_GROUPS = {
    Dimension.DAY: "Day",
    Dimension.COUNTRY: "Country",
    Dimension.USE_CASE: "Use case",
    Dimension.KEY: "Access key",
}


class UsageSearch(StrictSchema):
    since = DayInput()
    until = DayInput()
    by = Choice(Dimension, _GROUPS, load_default=Dimension.COUNTRY)

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> UsageFilter:
        today: date = current_time().date()
        last = data.get("until") or today
        first = data.get("since") or last - timedelta(days=_DAYS - 1)
        if first > last or (last - first).days >= _LONGEST_DAYS:
            text = f"Must be at most {_LONGEST_DAYS} days before the last day."
            raise ValidationFailed({"$.since": [text]})
        return UsageFilter(first, last, (data["by"],))


@routes.get(USAGE, VIEWER)
def usage_page(current_user: CurrentUser) -> Response:
    form, wanted = searched(UsageSearch)
    rows = [] if wanted is None else _rows(current_user, wanted)
    if wanted is not None:
        form = Form({"since": wanted.first, "until": wanted.last, "by": wanted.group_by[0].value})
    return page_answer(
        "overview/usage.html",
        200 if wanted else 422,
        form=form,
        rows=rows[:_MOST],
        has_more=len(rows) > _MOST,
        groups=_GROUPS.items(),
        group=_GROUPS[wanted.group_by[0]] if wanted else "",
        export_path=link(USAGE) + ".csv",
    )


@routes.get(USAGE + ".csv", VIEWER, kind="text/csv")
def export_usage(current_user: CurrentUser) -> Response:
    report = _report(current_user, read_search(UsageSearch))
    rows = ([line[name] for name in report.columns] for line in report.lines())
    return csv_answer("usage", report.columns, rows)


def _report(current_user: CurrentUser, wanted: UsageFilter) -> UsageReport:
    own = UsageFilter(wanted.first, wanted.last, wanted.group_by, shown_workspace(current_user))
    with reading() as connection:
        return load_usage(connection, current_user.principal, own)


def _rows(current_user: CurrentUser, wanted: UsageFilter) -> list[tuple[str, dict[str, Any]]]:
    """Return label and sums of each group; the largest first, days by date."""
    report = _report(current_user, wanted)
    found: dict[UUID, str] = {}
    if wanted.group_by == (Dimension.USE_CASE,):
        with reading() as connection:
            found = load_use_case_names(connection, current_user.principal)
    elif wanted.group_by == (Dimension.KEY,):
        with reading() as connection:
            found = load_key_names(connection, {row.group[0] for row in report.rows})
    names = {str(key): name for key, name in found.items()}
    group = report.columns[0]
    rows = [(_label(wanted.group_by[0], line[group], names), line) for line in report.lines()]
    if wanted.group_by != (Dimension.DAY,):
        rows.sort(key=lambda row: (-row[1]["messages"], row[0]))
    return rows


def _label(by: Dimension, value: str | None, names: dict[str, str]) -> str:
    if value is None:
        return "none"
    if by is Dimension.COUNTRY:
        return country_name(value)
    return names.get(value, value)
