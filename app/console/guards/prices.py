"""The page of prices; only owners of the only organization change them here: all share them."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from flask import Response, request
from sqlalchemy import Connection

from app.access.audit import AuditedChange, AuditEvent
from app.access.principal import Role
from app.access.store import is_only_organization
from app.console.ui.forms import named_country_options, searched
from app.console.ui.guards import OWNER, VIEWER, Pages
from app.console.ui.pages import Form, page_answer, redirect_with_flash
from app.db.engine import Database
from app.kernel.errors import Forbidden
from app.messages.usage import Dimension, UsageFilter, load_usage
from app.prices.price_file import (
    HEADER,
    PriceFile,
    Problem,
    WrongPrices,
    other_currencies,
    read_row,
)
from app.prices.price_table import PriceRow, PriceTable, amount_text, day_of
from app.prices.store import NO_PRICE_LEFT, import_prices, load_prices, remove_price
from app.users.current_user import CurrentUser
from app.web.fields import Country, StrictSchema
from app.web.registry import current_time, get_service, reading

routes = Pages()
PRICES = "/console/prices"
_MOST = 500
_DAYS = 30
_SHARED = "Several organizations share these prices: they are changed by command."


@dataclass(frozen=True, slots=True)
class CostChange:
    country: str | None
    segments: int
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class _Preview:
    row: PriceRow
    is_removal: bool
    text: str
    costs: list[CostChange]
    currency: str


class PriceSearch(StrictSchema):
    country = Country(load_default=None)


@routes.get(PRICES, VIEWER)
def prices_page(
    current_user: CurrentUser,
    status: int = 200,
    *,
    typed: Form | None = None,
    preview: _Preview | None = None,
) -> Response:
    form, wanted = searched(PriceSearch)
    country = wanted["country"] if wanted else None
    is_owner = current_user.permits_everywhere(Role.OWNER)
    with reading() as connection:
        stored = load_prices(connection)
        may_change = is_owner and is_only_organization(connection, current_user.organization_id)
    rows = [row for row in stored.rows if country in {None, row.country}]
    today = day_of(current_time())
    values: dict[str, Any] = {"currency": stored.currency or "USD", "valid_from": today}
    return page_answer(
        "guards/prices.html",
        status if wanted else 422,
        form=form,
        rows=rows[:_MOST],
        has_more=len(rows) > _MOST,
        has_prices=bool(stored.rows),
        countries=named_country_options("Any country"),
        typed=typed or Form(values),
        preview=preview,
        may_change=may_change,
        shared=_SHARED if is_owner and not may_change else "",
    )


@routes.post(PRICES, OWNER)
def change_price(current_user: CurrentUser) -> Response:
    is_removal, now = "remove" in request.form, current_time()
    given = {name: request.form.get(name, "").strip() for name in HEADER}
    given["currency"] = given["currency"].upper()
    row = read_row(1, [given[name] for name in HEADER])
    if not isinstance(row, PriceRow):
        return prices_page(current_user, 422, typed=_refilled(given, row))
    database, is_save = get_service(Database), request.form.get("step") == "save"
    try:
        with database.writing() if is_save else database.reading() as connection:
            if not is_only_organization(connection, current_user.organization_id):
                raise Forbidden(_SHARED)
            stored = load_prices(connection)
            after = _changed(stored, row, is_removal=is_removal)
            text = f"{stored.revision};{is_removal};{row}"
            is_shown = is_save and request.form.get("shown") == text
            costs = [] if is_shown else _costs(connection, current_user, stored, after, row)
            if is_shown:
                _save(connection, current_user, row, now, is_removal=is_removal)
    except WrongPrices as wrong:
        return prices_page(current_user, 422, typed=_refilled(given, wrong.problems))
    if is_shown:
        return redirect_with_flash(PRICES, "Saved. In effect for the next send.")
    preview = _Preview(row, is_removal, text, costs, after.currency or "")
    return prices_page(current_user, typed=Form(given), preview=preview)


def _save(
    connection: Connection,
    current_user: CurrentUser,
    row: PriceRow,
    now: datetime,
    *,
    is_removal: bool,
) -> None:
    if is_removal:
        remove_price(connection, row, now)
    else:
        import_prices(connection, PriceFile(((1, row),), ()), now)
    action = "prices.removed" if is_removal else "prices.changed"
    text = f"{row.country} {row.mccmnc} {row.price} {row.currency} from {row.valid_from}"
    own_id, text = current_user.organization_id, " ".join(text.split())
    event = AuditEvent(action, reason=text, organization_id=own_id)
    AuditedChange(connection, current_user.actor, now).record(event)


def _changed(stored: PriceTable, row: PriceRow, *, is_removal: bool) -> PriceTable:
    """Raises `WrongPrices` if it is the last price, or has another currency."""
    rows = [one for one in stored.rows if one.key != row.key]
    if is_removal and not rows:
        raise WrongPrices([Problem(1, "country", NO_PRICE_LEFT)])
    if is_removal:
        return replace(stored, rows=rows)
    currency = stored.currency if rows else None
    problems = list(other_currencies([(1, row)], currency, "the stored prices"))
    if problems:
        raise WrongPrices(problems)
    return replace(stored, rows=[*rows, row], currency=row.currency)


def _costs(
    connection: Connection,
    current_user: CurrentUser,
    stored: PriceTable,
    after: PriceTable,
    row: PriceRow,
) -> list[CostChange]:
    """Return each country for which the traffic of the last 30 days would have another cost."""
    today = day_of(current_time())
    wanted = UsageFilter(today - timedelta(days=_DAYS - 1), today, (Dimension.COUNTRY,))
    segments: dict[str | None, int] = {}
    for one in load_usage(connection, current_user.principal_for(Role.OWNER), wanted).rows:
        segments[one.group[0]] = segments.get(one.group[0], 0) + one.segments
    day = max(today, row.valid_from)
    then, now = (prices.on(day) for prices in (stored, after))
    changed = []
    for country, count in sorted(segments.items(), key=lambda item: -item[1]):
        found = [prices.estimate(country, count) for prices in (then, now)]
        amounts = [None if one is None else amount_text(one.millionths) for one in found]
        if count and amounts[0] != amounts[1]:
            changed.append(CostChange(country, count, *amounts))
    return changed


def _refilled(given: dict[str, str], problems: list[Problem]) -> Form:
    errors: dict[str, list[str]] = {}
    for one in problems:
        errors.setdefault(one.column, []).append(f"{one.text[0].upper()}{one.text[1:]}.")
    return Form(given, errors)
