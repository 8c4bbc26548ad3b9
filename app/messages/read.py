"""Reading messages: one, a page of them, and what was reported of one.

Visibility is decided in `visible` alone, so that a submission that is no message is never shown.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from app.access.principal import Principal
from app.access.scope import within_reach
from app.db.filters import given
from app.db.rows import AnyRow
from app.messages.lifecycle import Status
from app.messages.record import RECORD_COLUMNS, MessageRecord, record_from
from app.messages.submission import ALWAYS_VISIBLE, Submission, open_is_visible_before
from app.messages.tables import message_events, messages


@dataclass(frozen=True, slots=True)
class MessageFilter:
    """Which messages a list shows; None leaves a condition out."""

    limit: int
    page_token: UUID | None = None
    status: Status | None = None
    country: str | None = None
    use_case_id: UUID | None = None
    workspace_id: UUID | None = None
    to_number: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


def visible(now: datetime) -> ColumnElement[bool]:
    """Return the condition that makes a submission a message that its owner may see."""
    return or_(
        messages.c.submission.in_([state.value for state in ALWAYS_VISIBLE]),
        and_(
            messages.c.submission == Submission.OPEN.value,
            messages.c.created_at < open_is_visible_before(now),
        ),
    )


def load_message(
    connection: Connection, principal: Principal, message_id: UUID, now: datetime
) -> MessageRecord | None:
    """Load one message; None where it is absent, another tenant's, or no message."""
    row = connection.execute(
        select(*RECORD_COLUMNS).where(
            messages.c.id == message_id,
            within_reach(principal, messages.c.workspace_id),
            visible(now),
        )
    ).one_or_none()
    return None if row is None else record_from(row)


def load_messages(
    connection: Connection, principal: Principal, wanted: MessageFilter, now: datetime
) -> list[MessageRecord]:
    """Load a page, newest first, and one row more where a next page exists."""
    columns = messages.c
    conditions = given(
        (wanted.page_token, columns.id.__lt__),
        (wanted.status, columns.status.__eq__),
        (wanted.country, columns.country.__eq__),
        (wanted.use_case_id, columns.use_case_id.__eq__),
        (wanted.workspace_id, columns.workspace_id.__eq__),
        (wanted.to_number, columns.to_number.__eq__),
        (wanted.created_after, columns.created_at.__gt__),
        (wanted.created_before, columns.created_at.__lt__),
    )
    query = (
        select(*RECORD_COLUMNS)
        .where(within_reach(principal, columns.workspace_id), visible(now), *conditions)
        .order_by(messages.c.id.desc())
        .limit(wanted.limit + 1)
    )
    return [record_from(row) for row in connection.execute(query)]


def load_events(connection: Connection, message_id: UUID) -> list[AnyRow]:
    """Load everything that was reported of a message, oldest first."""
    query = (
        select(message_events)
        .where(message_events.c.message_id == message_id)
        .order_by(message_events.c.id)
    )
    return list(connection.execute(query))
