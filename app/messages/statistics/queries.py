"""Reading the statistics: sums by day and country, and their age."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Literal
from uuid import UUID

from sqlalchemy import Connection, func, select

from app.db.heartbeats import worker_heartbeats
from app.db.types import UtcDateTime
from app.messages.tables import IS_UNSETTLED, message_counting, message_counts, messages
from app.web.metrics import MOST_COUNTED


@dataclass(frozen=True, slots=True)
class WorkerSigns:
    """The last heartbeat, and until when messages are counted."""

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
    query = (
        select(*keys, *sums)
        .where(columns.workspace_id == workspace_id, columns.day >= since)
        .group_by(*keys)
        .order_by(*keys)
    )
    found = []
    for row in connection.execute(query):
        hour, group = (row[1], row[2]) if hourly else (0, row[1])
        at = datetime.combine(row[0], time(hour), UTC)
        found.append(SlotCount(at, str(group), *map(int, row[len(keys) :])))
    return found


def load_worker_signs(connection: Connection) -> WorkerSigns:
    beat = select(func.max(worker_heartbeats.c.at, type_=UtcDateTime())).scalar_subquery()
    until = select(message_counting.c.counted_until).scalar_subquery()
    row = connection.execute(select(beat, until)).one()
    return WorkerSigns(*row)


def count_unsettled(connection: Connection, _now: datetime) -> int:
    """Count the unconfirmed submissions that are still asked about, up to `MOST_COUNTED`."""
    is_asked_about = messages.c.check_at.is_not(None)
    found = select(messages.c.id).where(IS_UNSETTLED, is_asked_about).limit(MOST_COUNTED).subquery()
    return int(connection.execute(select(func.count()).select_from(found)).scalar_one())
