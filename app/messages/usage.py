"""Usage and other sums of the statistics, and their age."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, Table, func, literal, select, union_all

from app.access.principal import Principal
from app.access.store import visible_to
from app.db.heartbeats import worker_heartbeats
from app.db.rows import given
from app.db.types import UtcDateTime
from app.destinations.tables import refusal_counts
from app.kernel.ids import NO_ID
from app.messages.tables import IS_UNSETTLED, message_counting, message_counts, messages
from app.prices.price_table import amount_text
from app.web.metrics import MOST_COUNTED


class Dimension(StrEnum):
    DAY = "day"
    WORKSPACE = "workspace"
    COUNTRY = "country"
    USE_CASE = "use_case"
    KEY = "key"


_COLUMNS = {
    Dimension.DAY: "day",
    Dimension.WORKSPACE: "workspace_id",
    Dimension.COUNTRY: "country",
    Dimension.USE_CASE: "use_case_id",
    Dimension.KEY: "access_key_id",
}
DEFAULT_DIMENSIONS = (Dimension.DAY, Dimension.COUNTRY, Dimension.USE_CASE, Dimension.KEY)
_SAME = ("segments", "delivered", "undelivered", "failed", "converted", "cost")
_OF_MESSAGES = {"messages": "sends"} | {name: name for name in _SAME}
_OF_REFUSALS = {"refused": "refusals", "saved": "saved"}


@dataclass(frozen=True, slots=True)
class UsageFilter:
    """The wanted days (UTC), first and last included, and groups."""

    first: date
    last: date
    group_by: tuple[Dimension, ...] = DEFAULT_DIMENSIONS
    workspace_id: UUID | None = None


@dataclass(slots=True)
class Usage:
    """The sums of one group in one currency, '' if no price is known. Amounts are in millionths."""

    group: tuple[Any, ...]
    currency: str
    messages: int = 0
    segments: int = 0
    delivered: int = 0
    undelivered: int = 0
    failed: int = 0
    converted: int = 0
    refused: int = 0
    cost: int = 0
    saved: int = 0


_SUMS = tuple(one.name for one in fields(Usage) if one.type is int or one.type == "int")


@dataclass(frozen=True, slots=True)
class UsageReport:
    """The groups, the newest day first, then by the other columns."""

    wanted: UsageFilter
    rows: Sequence[Usage] = field(default_factory=list)

    @property
    def columns(self) -> tuple[str, ...]:
        names = tuple(_COLUMNS[one] for one in self.wanted.group_by)
        return (*names, *_SUMS, "currency")

    def after(self, position: str) -> "UsageReport":
        rows = [row for row in self.rows if position_of(row) > position]
        return UsageReport(self.wanted, rows)

    def lines(self, most: int | None = None) -> Iterator[dict[str, Any]]:
        """Yield the rows in the API's form."""
        for row in self.rows[:most]:
            group = {
                _COLUMNS[one]: _wire(value)
                for one, value in zip(self.wanted.group_by, row.group, strict=True)
            }
            sums: dict[str, Any] = {name: getattr(row, name) for name in _SUMS}
            for name in ("cost", "saved"):
                sums[name] = amount_text(sums[name]) if row.currency else None
            yield group | sums | {"currency": row.currency or None}


def load_usage(connection: Connection, principal: Principal, wanted: UsageFilter) -> UsageReport:
    found: dict[tuple[tuple[Any, ...], str], Usage] = {}
    for table, sums in ((message_counts, _OF_MESSAGES), (refusal_counts, _OF_REFUSALS)):
        for group, currency, values in _sums(connection, principal, wanted, table, sums):
            row = found.setdefault((group, currency), Usage(group, currency))
            for name, value in zip(sums, values, strict=True):
                setattr(row, name, int(value))
    rows: list[Usage] = []
    for row in sorted(found.values(), key=position_of):
        if rows and not rows[-1].currency and rows[-1].group == row.group:
            without_price = rows.pop()
            for name in _SUMS:
                setattr(row, name, getattr(row, name) + getattr(without_price, name))
        rows.append(row)
    return UsageReport(wanted, rows)


def _sums(
    connection: Connection,
    principal: Principal,
    wanted: UsageFilter,
    table: Table,
    sums: dict[str, str],
) -> Iterator[tuple[tuple[Any, ...], str, Sequence[Any]]]:
    columns = table.c
    keys = [columns[_COLUMNS[one]] for one in wanted.group_by]
    query = (
        select(*keys, columns.currency, *(func.sum(columns[name]) for name in sums.values()))
        .where(
            visible_to(principal, columns.workspace_id),
            columns.day >= wanted.first,
            columns.day <= wanted.last,
            *given((wanted.workspace_id, columns.workspace_id.__eq__)),
        )
        .group_by(*keys, columns.currency)
    )
    for row in connection.execute(query):
        yield tuple(row[: len(keys)]), row[len(keys)], row[len(keys) + 1 :]


@dataclass(frozen=True, slots=True)
class Saved:
    """The estimated cost of the refusals with one reason."""

    code: str
    refusals: int
    amount: str
    currency: str


@dataclass(frozen=True, slots=True)
class Spend:
    """Spend by currency, and savings by refusals; ``currency`` if all spend is in one."""

    spent: Sequence[str]
    saved: Sequence[Saved]
    currency: str | None = None


def load_spend(connection: Connection, workspace_id: UUID, first: date) -> Spend:
    """Sum up costs, and savings by reason, since a day (UTC)."""
    sent, refused = message_counts.c, refusal_counts.c
    costs = (
        select(literal("").label("code"), sent.currency, func.count(), func.sum(sent.cost))
        .where(sent.workspace_id == workspace_id, sent.day >= first, sent.currency != "")
        .group_by(sent.currency)
    )
    savings = (
        select(refused.code, refused.currency, func.sum(refused.refusals), func.sum(refused.saved))
        .where(refused.workspace_id == workspace_id, refused.day >= first, refused.saved > 0)
        .group_by(refused.code, refused.currency)
    )
    rows = sorted(connection.execute(union_all(costs, savings)), key=lambda row: (-row[3], row[0]))
    amounts = [(code, unit, int(count), amount_text(int(sum_))) for code, unit, count, sum_ in rows]
    units = [unit for code, unit, *_ in amounts if not code]
    return Spend(
        [f"{amount} {unit}" for code, unit, _, amount in amounts if not code],
        [Saved(code, count, amount, unit) for code, unit, count, amount in amounts if code],
        units[0] if len(units) == 1 else None,
    )


def position_of(row: Usage) -> str:
    """Return the sort key: the newest day first."""
    days = [date.max - value for value in row.group if isinstance(value, date)]
    others = [str(value) for value in row.group if not isinstance(value, date)]
    return " ".join([*(f"{one.days:07d}" for one in days), *others, row.currency])


def _wire(value: Any) -> str | None:
    if isinstance(value, date):
        return value.isoformat()
    return None if value in {NO_ID, ""} else str(value)


@dataclass(frozen=True, slots=True)
class WorkerSigns:
    heartbeat_at: datetime | None
    counted_until: datetime | None


@dataclass(frozen=True, slots=True)
class SlotCount:
    """Counts of one hour or day (UTC) and one country or use case; the cost in millionths.

    '' is no country.
    """

    at: datetime
    group: str
    sends: int
    delivered: int
    undelivered: int
    failed: int
    segments: int
    cost: int = 0


def load_slot_counts(
    connection: Connection,
    workspace_id: UUID,
    since: date,
    *,
    by: Literal["country", "use_case_id"],
    hourly: bool = False,
) -> list[SlotCount]:
    """Sum up by hour or day and by group, oldest first."""
    columns = message_counts.c
    keys = [columns.day, *((columns.hour,) if hourly else ()), columns[by]]
    sums = [func.sum(columns[name]) for name in SlotCount.__slots__[2:]]
    of_workspace = columns.workspace_id == workspace_id, columns.day >= since
    query = select(*keys, *sums).where(*of_workspace).group_by(*keys).order_by(*keys)
    found = []
    for row in connection.execute(query):
        hour, group = (row[1], row[2]) if hourly else (0, row[1])
        at = datetime.combine(row[0], time(hour), UTC)
        found.append(SlotCount(at, str(group), *map(int, row[len(keys) :])))
    return found


def load_worker_signs(connection: Connection) -> WorkerSigns:
    beat = select(func.max(worker_heartbeats.c.at, type_=UtcDateTime())).scalar_subquery()
    until = select(message_counting.c.counted_until).scalar_subquery()
    return WorkerSigns(*connection.execute(select(beat, until)).one())


def count_unsettled(connection: Connection, _now: datetime) -> int:
    """Count those that are still asked about, up to `MOST_COUNTED`."""
    is_asked_about = messages.c.check_at.is_not(None)
    found = select(messages.c.id).where(IS_UNSETTLED, is_asked_about).limit(MOST_COUNTED).subquery()
    return int(connection.execute(select(func.count()).select_from(found)).scalar_one())
