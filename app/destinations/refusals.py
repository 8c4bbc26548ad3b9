"""Refusals: written by sends, listed and counted."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from app.db.clock import is_same_time
from app.db.filters import PageFilter, equal, given, load_page
from app.db.rows import AnyRow
from app.db.statement import Statement
from app.destinations.policy.evaluate import Scope, Source
from app.destinations.tables import refusal_counts, refusals
from app.kernel.ids import NO_ID, first_id_at, new_id
from app.kernel.masking import mask_number
from app.prices.price_table import Estimate

LISTED_PER_MINUTE = 120
REFUSALS_KEPT = timedelta(days=90)
_SWEPT_AT_ONCE = 10
# With other codes, the provider would have refused the message without a charge.
SAVING_CODES = frozenset(
    {"DestinationBlocked", "Forbidden", "GuardTripped", "RecipientOptedOut", "WorkspaceSuspended"}
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refused send with its reason; ``rule`` is of the policy, or a guard."""

    workspace_id: UUID
    use_case_id: UUID | None
    code: str
    number: str
    country: str | None
    segments: int
    source: Source
    rule: StrEnum | None = None
    scope: Scope | None = None
    revision: int | None = None
    provider_code: int | None = None
    access_key_id: UUID | None = None
    # The estimated cost of the message.
    estimate: Estimate | None = None


_INSERT = insert(refusals).values({c.name: bindparam(c.name, type_=c.type) for c in refusals.c})

# Text statements as for a send, because a flood causes as many refusals.
_LISTED = Statement(
    """SELECT count(*) AS listed FROM (SELECT 1 FROM refusals
  WHERE workspace_id = :workspace_id::uuid AND id >= :first_id::uuid
  LIMIT :most::integer) AS of_minute"""
)
_COUNT = Statement(
    """INSERT INTO refusal_counts AS counted (
  workspace_id, day, country, code, source, use_case_id, access_key_id, currency,
  refusals, unlisted, saved)
VALUES (
  :workspace_id::uuid, :day::date, :country, :code, :source, :use_case_id::uuid,
  :access_key_id::uuid, :currency, 1, :unlisted::integer, :saved::bigint)
ON CONFLICT (workspace_id, day, country, code, source, use_case_id, access_key_id, currency)
DO UPDATE SET refusals = counted.refusals + 1, unlisted = counted.unlisted + excluded.unlisted,
  saved = counted.saved + excluded.saved"""
)


def insert_refusal(connection: Connection, refusal: Refusal, now: datetime) -> None:
    """Count a refusal, list it if the minute has room, and delete a few old ones."""
    listed = _listed_this_minute(connection, refusal.workspace_id, now) < LISTED_PER_MINUTE
    _count(connection, refusal, now, listed=listed)
    if listed:
        connection.execute(_INSERT, _row(refusal, now))
        if is_same_time():
            _sweep(connection, refusal.workspace_id, now)


def _row(refusal: Refusal, now: datetime) -> dict[str, Any]:
    return {
        "id": new_id(),
        "workspace_id": refusal.workspace_id,
        "use_case_id": refusal.use_case_id,
        "at": now,
        "code": refusal.code,
        "source": refusal.source,
        "country": refusal.country,
        "rule": refusal.rule,
        "scope": refusal.scope,
        "revision": refusal.revision,
        "provider_code": refusal.provider_code,
        "masked_number": mask_number(refusal.number),
        "segments": refusal.segments,
    }


def _listed_this_minute(connection: Connection, workspace_id: UUID, now: datetime) -> int:
    minute = first_id_at(now.replace(second=0, microsecond=0))
    values = {"workspace_id": workspace_id, "first_id": minute, "most": LISTED_PER_MINUTE}
    return int(_LISTED.first(connection, values).listed)


def _count(connection: Connection, refusal: Refusal, now: datetime, *, listed: bool) -> None:
    estimate = refusal.estimate
    values = {
        "workspace_id": refusal.workspace_id,
        "day": now.date().isoformat(),
        "country": refusal.country or "",
        "code": refusal.code,
        "source": refusal.source.value,
        "use_case_id": refusal.use_case_id or NO_ID,
        "access_key_id": refusal.access_key_id or NO_ID,
        "currency": "" if estimate is None else estimate.currency,
        "unlisted": 0 if listed else 1,
        "saved": estimate.millionths if estimate is not None and _saves(refusal) else 0,
    }
    _COUNT.run(connection, values)


def _saves(refusal: Refusal) -> bool:
    """Whether the provider would have charged for the refused message."""
    return refusal.source is not Source.PROVIDER and refusal.code in SAVING_CODES


def _sweep(connection: Connection, workspace_id: UUID, now: datetime) -> None:
    old = (
        select(refusals.c.id)
        .where(
            refusals.c.workspace_id == workspace_id,
            refusals.c.id < first_id_at(now - REFUSALS_KEPT),
        )
        .limit(_SWEPT_AT_ONCE)
    )
    connection.execute(delete(refusals).where(refusals.c.id.in_(old)))


COUNTED_DAYS = 30


@dataclass(frozen=True, slots=True)
class RefusalFilter(PageFilter):
    country: str | None = None
    code: str | None = None
    use_case_id: UUID | None = None
    after: datetime | None = None
    before: datetime | None = None


def load_refusals(
    connection: Connection, workspace_id: UUID, wanted: RefusalFilter
) -> list[AnyRow]:
    """Load `limit` + 1 rows, newest first."""
    columns = refusals.c
    conditions = equal(wanted, refusals, "country", "code", "use_case_id")
    conditions += given((wanted.after, columns.at.__gt__), (wanted.before, columns.at.__lt__))
    query = select(refusals).where(columns.workspace_id == workspace_id, *conditions)
    return load_page(connection, query, refusals, wanted)


def load_counts(
    connection: Connection, workspace_id: UUID, now: datetime, days: int = COUNTED_DAYS
) -> list[dict[str, Any]]:
    """Sum up by day, country and code."""
    columns = refusal_counts.c
    keys = (columns.day, columns.country, columns.code)
    query = (
        select(*keys, func.sum(columns.refusals), func.sum(columns.unlisted))
        .where(
            columns.workspace_id == workspace_id,
            columns.day > (now - timedelta(days=days)).date(),
        )
        .group_by(*keys)
        .order_by(columns.day.desc(), columns.country, columns.code)
    )
    return [
        {
            "day": day.isoformat(),
            "country": country or None,
            "code": code,
            "refusals": int(count),
            "unlisted": int(unlisted),
        }
        for day, country, code, count, unlisted in connection.execute(query)
    ]
