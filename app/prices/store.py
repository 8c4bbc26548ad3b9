"""Tables and SQL of prices, those read from the provider, and those that a process holds."""

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from app.db.rows import insert_on_conflict
from app.db.types import UtcDateTime, add_table
from app.prices.price_file import PriceFile, Problem, WrongPrices, other_currencies
from app.prices.price_table import DayPrices, PriceRow, PriceTable
from app.providers.port import PriceSource, ProviderAccount, ProviderUnknown

# One row once prices were stored. Its revision grows with each change, so that a process can check
# whether the prices that it holds are the stored ones.
price_lists = add_table(
    "price_lists",
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
)

# `mccmnc` is '' for the whole country; `price` is the decimal of one segment as it was given.
prices = add_table(
    "prices",
    sa.Column("country", sa.String(2), primary_key=True),
    sa.Column("mccmnc", sa.String(6), primary_key=True),
    sa.Column("valid_from", sa.Date, primary_key=True),
    sa.Column("price", sa.String(20), nullable=False),
)

_ONLY = 1
NO_PRICE_LEFT = "there must be a price: without any, spend limits would count nothing"
# Selected by the statement that decides about a send; null without prices.
PRICE_REVISION = "(SELECT revision FROM price_lists)"
_KEY = ("country", "mccmnc", "valid_from")
_DELETE = sa.delete(prices).where(*(prices.c[name] == sa.bindparam(f"old_{name}") for name in _KEY))


def load_prices(connection: sa.Connection) -> PriceTable:
    """The whole country comes before its networks."""
    listed = connection.execute(sa.select(price_lists)).one_or_none()
    if listed is None:
        return PriceTable(None, ())
    query = sa.select(prices).order_by(prices.c.country, prices.c.mccmnc, prices.c.valid_from)
    rows = [
        PriceRow(row.country, row.mccmnc, row.price, listed.currency, row.valid_from)
        for row in connection.execute(query)
    ]
    return PriceTable(listed.currency if rows else None, rows, listed.revision)


def has_prices(connection: sa.Connection) -> bool:
    return connection.execute(sa.select(prices.c.country).limit(1)).first() is not None


def import_prices(
    connection: sa.Connection, file: PriceFile, now: datetime, *, replace: bool = False
) -> int:
    """Store all rows of a file or none; return their number. Raises `WrongPrices`.

    A row replaces the one with its key; ``replace`` replaces the whole table.
    """
    _lock(connection, now)
    stored = load_prices(connection)
    given = {row.key for _, row in file.rows}
    stays = [row for row in stored.rows if not replace and row.key not in given]
    currency, holder = stored.currency, "the stored prices"
    if not stays:
        currency, holder = next((row.currency for _, row in file.rows), None), "the first row"
    problems = [*file.problems, *other_currencies(file.rows, currency, holder)]
    if replace and not file.rows and not problems:
        problems.append(Problem(1, "row", NO_PRICE_LEFT))
    if problems:
        raise WrongPrices(problems)
    if replace:
        connection.execute(sa.delete(prices))
    _write(connection, [row for _, row in file.rows])
    values: dict[str, Any] = {"revision": price_lists.c.revision + 1, "updated_at": now}
    if currency is not None:
        values["currency"] = currency
    connection.execute(sa.update(price_lists).values(values))
    return len(file.rows)


def _lock(connection: sa.Connection, now: datetime) -> None:
    """Serialize imports by the list's row, created if missing."""
    first = insert_on_conflict(connection, price_lists).values(
        id=_ONLY, revision=0, currency="", updated_at=now
    )
    connection.execute(first.on_conflict_do_nothing())
    connection.execute(sa.select(price_lists.c.id).with_for_update()).one()


def _write(connection: sa.Connection, rows: Iterable[PriceRow]) -> None:
    latest = {row.key: row for row in rows}.values()
    if not latest:
        return
    connection.execute(
        _DELETE, [{f"old_{name}": getattr(row, name) for name in _KEY} for row in latest]
    )
    values = [{name: getattr(row, name) for name in (*_KEY, "price")} for row in latest]
    connection.execute(sa.insert(prices), values)


def remove_price(connection: sa.Connection, row: PriceRow, now: datetime) -> None:
    """Raises `WrongPrices` for the last price."""
    _lock(connection, now)
    if all(one.key == row.key for one in load_prices(connection).rows):
        raise WrongPrices([Problem(1, "country", NO_PRICE_LEFT)])
    connection.execute(_DELETE, {f"old_{name}": getattr(row, name) for name in _KEY})
    connection.execute(
        sa.update(price_lists).values(revision=price_lists.c.revision + 1, updated_at=now)
    )


class PriceBook:
    """The prices held by a process, by their revision.

    The statement of a send reads the revision (`PRICE_REVISION`), so changed prices apply to
    the next send, and unchanged ones cost no query.
    """

    def __init__(self) -> None:
        self._loading = threading.Lock()
        self._held: tuple[int, PriceTable, DayPrices] | None = None

    def on(self, connection: sa.Connection, revision: int, day: date) -> DayPrices:
        held = self._held
        if held is None or held[0] != revision:
            with self._loading:
                held = self._held
                if held is None or held[0] != revision:
                    table = load_prices(connection)
                    held = self._held = (revision, table, table.on(day))
        if held[2].day != day:
            held = self._held = (held[0], held[1], held[1].on(day))
        return held[2]


@dataclass(frozen=True, slots=True)
class Refreshed:
    file: PriceFile
    without_price: Sequence[str]


def fetch_prices(
    source: PriceSource, wanted: Mapping[str, ProviderAccount], day: date
) -> Refreshed:
    """Raises `ProviderUnknown`."""
    rows: list[PriceRow] = []
    without = []
    for country, account in sorted(wanted.items()):
        try:
            found = source.fetch(account, country)
        except ProviderUnknown as unknown:
            raise ProviderUnknown(f"{country}: {unknown}") from unknown
        if found is None or not found.networks:
            without.append(country)
            continue
        highest: dict[str, Decimal] = {}
        for one in found.networks:
            highest[one.mccmnc] = max(one.price, highest.get(one.mccmnc, one.price))
        if "" in highest:
            # A price without network applies to the whole country: it is the highest of all.
            highest[""] = max(highest.values())
        rows += [
            PriceRow(country, mccmnc, f"{price:f}", found.currency, day)
            for mccmnc, price in sorted(highest.items())
        ]
    return Refreshed(PriceFile(tuple(enumerate(rows, start=1)), ()), without)
