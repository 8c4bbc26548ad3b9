"""Refusals: written by sends, listed and counted."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, func, select

from app.db.clock import is_same_time
from app.db.rows import AnyRow, PageFilter, equal, given, newest_of
from app.db.statement import Statement
from app.destinations.policy.evaluate import Scope, Source
from app.destinations.tables import refusal_counts, refusals
from app.kernel import errors as e
from app.kernel.ids import NO_ID, first_id_at, new_id
from app.kernel.masking import mask_number
from app.prices.price_table import Estimate

LISTED_PER_MINUTE = 120
REFUSALS_KEPT = timedelta(days=90)
_SWEPT_AT_ONCE = 10
REFUSAL_CODES = tuple(
    error.__name__
    for error in (
        e.BrandSuspended,
        e.CampaignNotVerified,
        e.DestinationBlocked,
        e.Forbidden,
        e.GuardTripped,
        e.InvalidDestination,
        e.MessageRejected,
        e.NoSenderNumber,
        e.ProviderMisconfigured,
        e.RecipientOptedOut,
        e.UseCaseInactive,
        e.WorkspaceSuspended,
    )
)
# With other codes, the provider would have refused the message without a charge.
SAVING_CODES = frozenset(
    {"DestinationBlocked", "Forbidden", "GuardTripped", "RecipientOptedOut", "WorkspaceSuspended"}
)
# Text statements as for a send, because a flood causes as many refusals.
_IS_LISTED = """SELECT count(*) < :most::integer AS is_listed FROM (SELECT 1 FROM refusals
  WHERE workspace_id = :workspace_id::uuid AND id >= :minute_id::uuid
  LIMIT :most::integer) AS of_minute"""
_INSERT = """INSERT INTO refusals (
    id, workspace_id, use_case_id, at, code, source, country, rule, scope, revision,
    provider_code, masked_number, segments)
  SELECT :id::uuid, :workspace_id::uuid, :use_case_id::uuid, :at::timestamptz, :code, :source,
    :country, :rule, :scope, :revision::integer, :provider_code::integer, :masked_number,
    :segments::integer"""
_SWEEP = """DELETE FROM refusals WHERE id IN (
    SELECT id FROM refusals WHERE workspace_id = :workspace_id::uuid AND id < :kept_id::uuid
    LIMIT :most_swept::integer)"""
_COUNT = """INSERT INTO refusal_counts AS counted (
    workspace_id, day, country, code, source, use_case_id, access_key_id, currency,
    refusals, unlisted, saved)
  SELECT :workspace_id::uuid, :day::date, :counted_country, :code, :source,
    :counted_use_case_id::uuid, :access_key_id::uuid, :currency, 1,
    CASE WHEN is_listed THEN 0 ELSE 1 END, :saved::bigint
  FROM listing WHERE true
  ON CONFLICT (workspace_id, day, country, code, source, use_case_id, access_key_id, currency)
  DO UPDATE SET refusals = counted.refusals + 1, unlisted = counted.unlisted + excluded.unlisted,
    saved = counted.saved + excluded.saved"""
_ON_POSTGRESQL = Statement(
    f"""WITH listing AS ({_IS_LISTED}),
listed AS ({_INSERT} FROM listing WHERE is_listed),
swept AS ({_SWEEP} AND EXISTS (SELECT 1 FROM listing WHERE is_listed))
{_COUNT}"""
)
# SQLite writes in no CTE.
_FIND_ROOM = Statement(_IS_LISTED)
_COUNT_ALONE = Statement(f"WITH listing AS (SELECT :is_listed AS is_listed)\n{_COUNT}")
_INSERT_ALONE, _SWEEP_ALONE = Statement(_INSERT), Statement(_SWEEP)
COUNTED_DAYS = 30


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


def insert_refusal(connection: Connection, refusal: Refusal, now: datetime) -> None:
    """Count a refusal, list it if the minute has room, and delete a few old ones.

    One statement on PostgreSQL.
    """
    values = _values(refusal, now)
    if connection.dialect.name == "postgresql":
        _ON_POSTGRESQL.run(connection, values)
        return
    is_listed = _FIND_ROOM.first(connection, values).is_listed
    _COUNT_ALONE.run(connection, values | {"is_listed": is_listed})
    if is_listed:
        _INSERT_ALONE.run(connection, values)
        _SWEEP_ALONE.run(connection, values)


def _values(refusal: Refusal, now: datetime) -> dict[str, Any]:
    estimate = refusal.estimate
    saves = refusal.source is not Source.PROVIDER and refusal.code in SAVING_CODES
    return {
        "id": new_id(),
        "workspace_id": refusal.workspace_id,
        "use_case_id": refusal.use_case_id,
        "at": now,
        "code": refusal.code,
        "source": refusal.source.value,
        "country": refusal.country,
        "rule": None if refusal.rule is None else refusal.rule.value,
        "scope": None if refusal.scope is None else refusal.scope.value,
        "revision": refusal.revision,
        "provider_code": refusal.provider_code,
        "masked_number": mask_number(refusal.number),
        "segments": refusal.segments,
        "minute_id": first_id_at(now.replace(second=0, microsecond=0)),
        "most": LISTED_PER_MINUTE,
        "kept_id": first_id_at(now - REFUSALS_KEPT),
        "most_swept": _SWEPT_AT_ONCE if is_same_time() else 0,
        "day": now.date().isoformat(),
        "counted_country": refusal.country or "",
        "counted_use_case_id": refusal.use_case_id or NO_ID,
        "access_key_id": refusal.access_key_id or NO_ID,
        "currency": "" if estimate is None else estimate.currency,
        "saved": estimate.millionths if estimate is not None and saves else 0,
    }


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
    columns = refusals.c
    names = [name for name in ("code", "country", "use_case_id") if getattr(wanted, name)]
    conditions = equal(wanted, refusals, *names[1:])
    conditions += given((wanted.after, columns.at.__gt__), (wanted.before, columns.at.__lt__))
    query = select(refusals).where(*conditions).limit(wanted.limit + 1)
    key: tuple[Any, Any] = (columns.workspace_id, workspace_id)
    if names:
        query = query.where(columns.workspace_id == workspace_id)
        key = (columns[names[0]], getattr(wanted, names[0]))
    return list(connection.execute(newest_of(query, key, columns.id, (None, wanted.page_token))))


def load_counts(
    connection: Connection, workspace_id: UUID, now: datetime, days: int = COUNTED_DAYS
) -> list[dict[str, Any]]:
    columns = refusal_counts.c
    keys = (columns.day, columns.country, columns.code)
    query = (
        select(*keys, func.sum(columns.refusals), func.sum(columns.unlisted))
        .where(
            columns.workspace_id == workspace_id, columns.day > (now - timedelta(days=days)).date()
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
