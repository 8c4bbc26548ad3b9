"""Reading messages and events; only `visible` decides which submissions are messages."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    TextClause,
    and_,
    exists,
    or_,
    select,
    union_all,
)

from app.access.principal import Principal, Role, shown_body, shown_number
from app.access.store import required, visible_to
from app.access.tables import workspaces
from app.db.rows import AnyRow, PageFilter, from_row, given, load_page, newest_of
from app.kernel.clock import rfc3339, shifted
from app.kernel.ids import first_id_at
from app.kernel.phone import PhoneNumber
from app.messages.events import earliest_event_id
from app.messages.lifecycle import ALWAYS_VISIBLE, Submission, open_is_visible_before
from app.messages.tables import HAS_NUMBER, OPEN, message_events, messages
from app.providers.port import Status
from app.use_cases.tables import use_cases


@dataclass(frozen=True, slots=True)
class MessageRecord:
    id: UUID
    use_case_id: UUID
    message_sid: str | None
    from_number: str | None
    to_number: str
    body: str | None
    num_segments: int | None
    status: Status
    handed_off_at: datetime | None
    delivered_at: datetime | None
    errored_at: datetime | None
    error_code: int | None
    created_at: datetime
    updated_at: datetime


RECORD_COLUMNS = tuple(messages.c[name] for name in MessageRecord.__slots__)


def record_from(row: AnyRow) -> MessageRecord:
    return from_row(MessageRecord, row, status=Status(row.status))


def load_record(connection: Connection, message_id: UUID) -> MessageRecord | None:
    """Load a message by id, without regard to tenants."""
    query = select(*RECORD_COLUMNS).where(messages.c.id == message_id)
    row = connection.execute(query).one_or_none()
    return None if row is None else record_from(row)


def render_message(message: MessageRecord) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name in MessageRecord.__slots__:
        value = getattr(message, name)
        if isinstance(value, datetime):
            value = rfc3339(value)
        shown[name] = str(value) if isinstance(value, UUID) else value
    return shown


def render_for(message: MessageRecord, role: Role) -> dict[str, Any]:
    number, body = shown_number(role, message.to_number), shown_body(role, message.body)
    return render_message(replace(message, to_number=number, body=body))


# How far the time of an id may differ from the row's time, between two clocks.
_IDS_DIFFER = timedelta(minutes=5)
# SQLite joins at most 500 parts in one statement, two for each workspace.
_WORKSPACES_AT_ONCE = 100
_Key: TypeAlias = tuple[ColumnElement[Any] | None, Any, Sequence[ColumnElement[bool] | TextClause]]


@dataclass(frozen=True, slots=True)
class MessageFilter(PageFilter):
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
    return or_(
        messages.c.submission.in_([state.value for state in ALWAYS_VISIBLE]),
        and_(
            messages.c.submission == Submission.OPEN.value,
            messages.c.created_at < open_is_visible_before(now),
        ),
    )


def load_message(
    connection: Connection, principal: Principal, message_id: UUID, now: datetime
) -> MessageRecord:
    """Raises `NotFound`, as `require_message`."""
    return record_from(require_message(connection, RECORD_COLUMNS, principal, message_id, now))


def require_message(
    connection: Connection,
    shown: Iterable[ColumnElement[Any]],
    principal: Principal,
    message_id: UUID,
    now: datetime,
) -> AnyRow:
    """Raises `NotFound` if it is absent, another tenant's, or no message."""
    is_visible = visible_to(principal, messages.c.workspace_id)
    query = select(*shown).where(messages.c.id == message_id, is_visible, visible(now))
    return required(connection.execute(query).one_or_none())


def load_messages(
    connection: Connection, principal: Principal, wanted: MessageFilter, now: datetime
) -> list[MessageRecord]:
    rows = load_newest(connection, RECORD_COLUMNS, principal, wanted, now)
    return [record_from(row) for row in rows]


def load_newest(
    connection: Connection,
    shown: Iterable[ColumnElement[Any]],
    principal: Principal,
    wanted: MessageFilter,
    now: datetime,
    *more: ColumnElement[bool],
) -> list[AnyRow]:
    ids: list[UUID | None] = [principal.workspace_id]
    if principal.workspace_id is None:
        own = select(workspaces.c.id).where(visible_to(principal, workspaces.c.id))
        ids = list(connection.execute(own).scalars())
    if wanted.workspace_id is not None:
        ids = [one for one in ids if one == wanted.workspace_id]
    found: list[AnyRow] = []
    for at in range(0, len(ids), _WORKSPACES_AT_ONCE):
        some = ids[at : at + _WORKSPACES_AT_ONCE]
        found += connection.execute(newest_messages(shown, some, wanted, now, *more))
    return sorted(found, key=lambda row: row.id, reverse=True)[: wanted.limit + 1]


def newest_messages(
    shown: Iterable[ColumnElement[Any]],
    workspace_ids: Sequence[UUID | None],
    wanted: MessageFilter,
    now: datetime,
    *more: ColumnElement[bool],
) -> Select[*tuple[Any, ...]]:
    """Read each workspace by the index of one filter: of its number, status, use case or country.

    PostgreSQL plans without the values, and would read by time until enough messages fit.
    """
    columns = messages.c
    limit, ids = wanted.limit + 1, _range_of_ids(wanted)
    query = select(*shown).where(visible(now), *_conditions(wanted), *more).limit(limit)
    parts = []
    for key, value, conditions in _keys(wanted):
        of_key = query.where(*conditions)
        for column, other in (
            (columns.country, wanted.country),
            (columns.use_case_id, wanted.use_case_id),
        ):
            if other is not None and column is not key:
                of_key = of_key.where(column == other)
        if key is columns.use_case_id:
            # Its messages are all of one workspace, so the workspace is not read from them.
            of_key = of_key.where(
                exists().where(use_cases.c.id == value, use_cases.c.workspace_id.in_(workspace_ids))
            )
            parts.append(newest_of(of_key, (key, value), columns.id, ids))
            continue
        for one in workspace_ids:
            pair = (columns.workspace_id, one) if key is None else (key, value)
            part = of_key if key is None else of_key.where(columns.workspace_id == one)
            parts.append(newest_of(part, pair, columns.id, ids))
    if len(parts) == 1:
        return parts[0]
    found = union_all(*(select(part.subquery()) for part in parts)).subquery()
    return select(found).order_by(found.c.id.desc()).limit(limit)


def _keys(wanted: MessageFilter) -> list[_Key]:
    """Return the column to read by, with its value.

    A pending or sent message is listed as open or by its status, so both are read.
    """
    columns, status = messages.c, wanted.status
    has_status = given((status, columns.status.__eq__))
    if wanted.to_number is not None:
        return [(columns.to_number, wanted.to_number, [HAS_NUMBER, *has_status])]
    if status in {Status.UNDELIVERED, Status.FAILED}:
        return [(columns.listed_status, status, [])]
    if status in {Status.PENDING, Status.SENT}:
        return [(columns.listed_status, OPEN, has_status), (columns.listed_status, status, [])]
    if wanted.use_case_id is not None:
        return [(columns.use_case_id, wanted.use_case_id, has_status)]
    if wanted.country is not None:
        return [(columns.country, wanted.country, has_status)]
    return [(None, None, has_status)]


def _range_of_ids(wanted: MessageFilter) -> tuple[UUID | None, UUID | None]:
    """Return the first id, and the one behind the last."""
    after, before, token = wanted.created_after, wanted.created_before, wanted.page_token
    first = None if after is None else first_id_at(shifted(after, -_IDS_DIFFER))
    ends = [] if before is None else [first_id_at(shifted(before, _IDS_DIFFER))]
    return first, min([*ends, *([] if token is None else [token])], default=None)


def _conditions(wanted: MessageFilter) -> list[ColumnElement[bool]]:
    columns = messages.c
    return given(
        (wanted.message_id, columns.id.__eq__),
        (wanted.message_sid, columns.message_sid.__eq__),
        (wanted.created_after, columns.created_at.__gt__),
        (wanted.created_before, columns.created_at.__lt__),
    )


def load_events(connection: Connection, message_id: UUID, wanted: PageFilter) -> list[AnyRow]:
    query = select(message_events).where(
        message_events.c.message_id == message_id,
        message_events.c.id >= earliest_event_id(message_id),
    )
    return load_page(connection, query, message_events, wanted, oldest_first=True)
