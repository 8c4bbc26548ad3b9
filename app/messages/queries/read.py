"""Reading messages and events; only `visible` decides which submissions are messages."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Select, and_, or_, select

from app.access.principal import Principal
from app.access.store import visible_to
from app.db.filters import PageFilter, given, load_page
from app.db.rows import AnyRow
from app.kernel.clock import shifted
from app.kernel.ids import first_id_at
from app.kernel.phone import PhoneNumber
from app.messages.record import RECORD_COLUMNS, MessageRecord, record_from
from app.messages.submission import ALWAYS_VISIBLE, Submission, open_is_visible_before
from app.messages.tables import UNFINISHED, message_events, messages
from app.providers.port import Status

# How far the time of an id may differ from the row's time, between two clocks.
_IDS_DIFFER = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class MessageFilter(PageFilter):
    """The filter of a list; None means no condition."""

    status: Status | None = None
    country: str | None = None
    use_case_id: UUID | None = None
    workspace_id: UUID | None = None
    to_number: PhoneNumber | None = None
    message_id: UUID | None = None
    message_sid: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


def visible(now: datetime) -> ColumnElement[bool]:
    """Return the condition that a submission is a visible message."""
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
    """Return None if it is absent, another tenant's, or no message."""
    query = one_message(RECORD_COLUMNS, principal, message_id, now)
    row = connection.execute(query).one_or_none()
    return None if row is None else record_from(row)


def one_message(
    shown: Iterable[ColumnElement[Any]], principal: Principal, message_id: UUID, now: datetime
) -> Select[*tuple[Any, ...]]:
    return select(*shown).where(
        messages.c.id == message_id,
        visible_to(principal, messages.c.workspace_id),
        visible(now),
    )


def load_messages(
    connection: Connection, principal: Principal, wanted: MessageFilter, now: datetime
) -> list[MessageRecord]:
    """Load `limit` + 1 rows, newest first."""
    query = page_of_messages(RECORD_COLUMNS, principal, wanted, now)
    return [record_from(row) for row in connection.execute(query)]


def page_of_messages(
    shown: Iterable[ColumnElement[Any]],
    principal: Principal,
    wanted: MessageFilter,
    now: datetime,
) -> Select[*tuple[Any, ...]]:
    columns = messages.c
    conditions = given(
        (wanted.page_token, columns.id.__lt__),
        (wanted.status, _has_status),
        (wanted.country, columns.country.__eq__),
        (wanted.use_case_id, columns.use_case_id.__eq__),
        (wanted.workspace_id, columns.workspace_id.__eq__),
        (wanted.to_number, columns.to_number.__eq__),
        (wanted.message_id, columns.id.__eq__),
        (wanted.message_sid, columns.message_sid.__eq__),
        (wanted.created_after, _created_after),
        (wanted.created_before, _created_before),
    )
    return (
        select(*shown)
        .where(visible_to(principal, columns.workspace_id), visible(now), *conditions)
        .order_by(columns.id.desc())
        .limit(wanted.limit + 1)
    )


def _has_status(status: Status) -> ColumnElement[bool]:
    """Includes the condition of the partial index of that status."""
    found = messages.c.status == status
    match Status(status):
        case Status.DELIVERED:
            return found
        case Status.PENDING | Status.SENT:
            return and_(found, UNFINISHED)
        case Status.UNDELIVERED | Status.FAILED:
            return and_(found, messages.c.errored_at.isnot(None))


def _created_after(at: datetime) -> ColumnElement[bool]:
    return and_(messages.c.created_at > at, messages.c.id >= first_id_at(shifted(at, -_IDS_DIFFER)))


def _created_before(at: datetime) -> ColumnElement[bool]:
    return and_(messages.c.created_at < at, messages.c.id < first_id_at(shifted(at, _IDS_DIFFER)))


def load_events(connection: Connection, message_id: UUID, wanted: PageFilter) -> list[AnyRow]:
    """Load `limit` + 1 reports of a message, oldest first."""
    query = select(message_events).where(message_events.c.message_id == message_id)
    return load_page(connection, query, message_events, wanted, oldest_first=True)
