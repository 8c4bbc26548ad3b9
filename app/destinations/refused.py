"""Reading refusals: a page of rows, and the counts of 30 days."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, func, select

from app.db.filters import given
from app.db.rows import AnyRow
from app.destinations.tables import refusal_counts, refusals
from app.kernel.clock import rfc3339

COUNTED_DAYS = 30


@dataclass(frozen=True, slots=True)
class RefusalFilter:
    """Which refusals a list shows."""

    limit: int
    page_token: UUID | None = None
    country: str | None = None
    code: str | None = None
    use_case_id: UUID | None = None
    after: datetime | None = None
    before: datetime | None = None


def load_refusals(
    connection: Connection, workspace_id: UUID, wanted: RefusalFilter
) -> list[AnyRow]:
    """Load a page, newest first, and one more if a next page exists."""
    columns = refusals.c
    conditions = given(
        (wanted.page_token, columns.id.__lt__),
        (wanted.country, columns.country.__eq__),
        (wanted.code, columns.code.__eq__),
        (wanted.use_case_id, columns.use_case_id.__eq__),
        (wanted.after, columns.at.__gt__),
        (wanted.before, columns.at.__lt__),
    )
    query = (
        select(refusals)
        .where(columns.workspace_id == workspace_id, *conditions)
        .order_by(columns.id.desc())
        .limit(wanted.limit + 1)
    )
    return list(connection.execute(query))


def load_counts(
    connection: Connection, workspace_id: UUID, now: datetime, days: int = COUNTED_DAYS
) -> list[dict[str, Any]]:
    """Sum up refusals by day, country and code, newest day first."""
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


def render_refusal(row: AnyRow) -> dict[str, Any]:
    """Write one refusal; its number is stored masked."""
    return {
        "id": str(row.id),
        "at": rfc3339(row.at),
        "number": row.masked_number,
        "country": row.country,
        "code": row.code,
        "source": row.source,
        "rule": row.rule,
        "scope": row.scope,
        "revision": row.revision,
        "provider_code": row.provider_code,
        "use_case_id": None if row.use_case_id is None else str(row.use_case_id),
    }
