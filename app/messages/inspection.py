"""Messages with all that is known of them, for people who look into what became of one."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, select

from app.access.principal import Principal
from app.access.scope import within_reach
from app.db.rows import AnyRow
from app.messages.read import MessageFilter, page_of_messages, visible
from app.messages.record import RECORD_COLUMNS, MessageRecord, record_from
from app.messages.submission import Submission
from app.messages.tables import messages


@dataclass(frozen=True, slots=True)
class Inspected:
    """A message, how its hand-over to the provider went, and what decided about it."""

    message: MessageRecord
    workspace_id: UUID
    submission: Submission
    provider_code: int | None
    country: str | None
    counted_segments: int
    policy_revision: int | None
    price: str | None
    price_unit: str | None
    check_at: datetime | None


_BESIDE = tuple(name for name in Inspected.__slots__ if name != "message")
_COLUMNS = (*RECORD_COLUMNS, *(messages.c[name] for name in _BESIDE))


def load_inspected(
    connection: Connection, principal: Principal, message_id: UUID, now: datetime
) -> Inspected | None:
    """Load one message; None where it is absent, another tenant's, or no message."""
    row = connection.execute(
        select(*_COLUMNS).where(
            messages.c.id == message_id,
            within_reach(principal, messages.c.workspace_id),
            visible(now),
        )
    ).one_or_none()
    return None if row is None else _inspected(row)


def load_inspected_page(
    connection: Connection, principal: Principal, wanted: MessageFilter, now: datetime
) -> list[Inspected]:
    """Load a page, newest first, and one row more where a next page exists."""
    query = page_of_messages(_COLUMNS, principal, wanted, now)
    return [_inspected(row) for row in connection.execute(query)]


def _inspected(row: AnyRow) -> Inspected:
    values = {name: getattr(row, name) for name in _BESIDE}
    return Inspected(
        message=record_from(row), **values | {"submission": Submission(row.submission)}
    )
