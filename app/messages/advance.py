"""SQL that applies one delivery report: the guarded update of the message, and its event.

One statement on PostgreSQL, one immediate transaction on SQLite. `app.messages.lifecycle` decides
for each of the five statuses; the database picks the decision for the status of the locked row.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    Select,
    String,
    Uuid,
    and_,
    bindparam,
    case,
    exists,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    update,
)

from app.db.types import UtcDateTime
from app.kernel.ids import new_id
from app.messages.check_times import ACCEPTED_CHECKS
from app.messages.lifecycle import Reason, Status, facts_of, follow
from app.messages.submission import UNSETTLED, SidSource, Submission
from app.messages.tables import message_events, messages
from app.webhooks.events import EventType
from app.webhooks.outbox import add_event, outbox_insert
from app.webhooks.sms_data import SMS_FIELDS, sms_data, sms_json


@dataclass(frozen=True, slots=True)
class Report:
    """A delivery report in our words; ``at`` is when it reached us."""

    account_sid: str
    message_sid: str
    message_id: UUID | None
    status: Status
    provider_status: str
    error_code: int | None
    from_number: str | None
    num_segments: int | None
    at: datetime
    # None where the worker asked about a SID that the message has already.
    sid_source: SidSource | None = None


@dataclass(frozen=True, slots=True)
class Advanced:
    """The message of a report, and the effect on it."""

    message_id: UUID
    workspace_id: UUID
    use_case_id: UUID
    to_number: str
    country: str | None
    status: Status
    created_at: datetime
    applied: bool
    reason: Reason | None


def _bind(name: str, type_: Any) -> Any:
    # Not the column's own name, which an UPDATE keeps for its automatic parameters.
    return bindparam(f"given_{name}", type_=type_)


def _by_status(name: str, type_: Any, current: ColumnElement[Any]) -> Any:
    """Pick the bound decision for the status that the row has."""
    return case(
        {status.value: _bind(f"{name}_{status}", type_) for status in Status},
        value=current,
    )


_SID = _bind("message_sid", String())
_other = messages.alias("other")
_HELD_ELSEWHERE = exists().where(
    _other.c.message_sid == _SID,
    _other.c.account_sid == messages.c.account_sid,
    _other.c.id != messages.c.id,
)
# A message that ended only because no trace of it was found comes back first, and a SID that
# another message holds by a guess is taken from it first: see app.messages.guesses.
_MAY_BE_REPORTED = (*UNSETTLED, Submission.ACCEPTED)
_FITS = and_(
    messages.c.account_sid == _bind("account_sid", String()),
    messages.c.submission.in_([state.value for state in _MAY_BE_REPORTED]),
    or_(
        messages.c.message_sid == _SID,
        # A report without a source is about a SID that the message had when the worker asked: it
        # never gives the SID back to a message that has lost it since.
        and_(
            messages.c.message_sid.is_(None),
            _bind("sid_source", String()).is_not(None),
            ~_HELD_ELSEWHERE,
        ),
    ),
)
_IS_GUESS = messages.c.sid_source.is_not_distinct_from(literal(SidSource.LIST.value))
_HAS_ID = messages.c.id == _bind("message_id", Uuid())
_BY_ID = and_(_HAS_ID, _FITS)
_BY_SID = and_(messages.c.message_sid == _SID, _FITS, ~and_(_IS_GUESS, _HELD_ELSEWHERE))


def _event_of(found: FromClause) -> Select[*tuple[Any, ...]]:
    return select(
        _bind("event_id", Uuid()),
        found.c.id,
        _bind("at", UtcDateTime()),
        _bind("status", String()),
        _bind("provider_status", String()),
        _bind("error_code", Integer()),
        _by_status("applied", Boolean(), found.c.status),
        _by_status("reason", String(), found.c.status),
    ).where(_is_kept(found))


# A message keeps so many reports that changed nothing; there is room for all others: of these a
# message has but a few. What comes beyond is counted on the last report like it.
KEPT_REPORTS = 40


def _is_kept(found: FromClause) -> ColumnElement[bool]:
    applied = _by_status("applied", Boolean(), found.c.status)
    return or_(applied, found.c.event_count < KEPT_REPORTS)


_EVENT_COLUMNS = [
    message_events.c[name]
    for name in (
        "id",
        "message_id",
        "at",
        "status",
        "provider_status",
        "error_code",
        "applied",
        "reason",
    )
]


def _changes(found: FromClause) -> dict[str, Any]:
    """The new values of a message, from its row as found."""
    applied = _by_status("applied", Boolean(), found.c.status)
    adds = _by_status("adds", Boolean(), found.c.status)
    at = _bind("at", UtcDateTime())

    def filled(column: str, given: Any, flag: str) -> Any:
        wanted = case((and_(adds, _bind(flag, Boolean())), given), else_=null())
        return func.coalesce(found.c[column], wanted)

    segments = func.coalesce(_bind("num_segments", Integer()), found.c.counted_segments)
    new = {
        "message_sid": func.coalesce(found.c.message_sid, _SID),
        "from_number": func.coalesce(found.c.from_number, _bind("from_number", String())),
        "handed_off_at": filled("handed_off_at", at, "hands_off"),
        "num_segments": filled("num_segments", segments, "hands_off"),
        "delivered_at": filled("delivered_at", at, "delivers"),
        "errored_at": filled("errored_at", at, "errs"),
        "error_code": filled("error_code", _bind("error_code", Integer()), "errs"),
    }
    changed = or_(applied, *(new[name].is_distinct_from(found.c[name]) for name in new))
    return new | {
        "submission": Submission.ACCEPTED.value,
        "event_count": found.c.event_count + case((_is_kept(found), 1), else_=0),
        "sid_source": case(
            (found.c.sid_source == SidSource.ANSWER.value, found.c.sid_source),
            else_=func.coalesce(_bind("sid_source", String()), found.c.sid_source),
        ),
        "sent_number": null(),
        "status": case((applied, _bind("status", String())), else_=found.c.status),
        "updated_at": case((changed, at), else_=found.c.updated_at),
        "check_at": case(
            (and_(applied, _bind("ends", Boolean())), null()),
            (
                found.c.submission.in_([state.value for state in UNSETTLED]),
                _bind("next_check_at", UtcDateTime()),
            ),
            else_=found.c.check_at,
        ),
    }


# What the answer needs of the message after the report, and what customers are told of it.
_MOVED = [messages.c[name] for name in (*SMS_FIELDS, "country", "created_at")]


def _postgres(where: ColumnElement[bool], *place: ColumnElement[bool]) -> Any:
    """Build the statement; ``place`` lets the planner prune partitions."""
    found = select(messages).where(where).with_for_update().cte("found")
    moved = (
        update(messages)
        .where(messages.c.id == found.c.id, *place)
        .values(_changes(found))
        .returning(*_MOVED)
        .cte("moved")
    )
    noted = insert(message_events).from_select(_EVENT_COLUMNS, _event_of(found))
    both = moved.join(found, found.c.id == moved.c.id)
    applied = _by_status("applied", Boolean(), found.c.status)
    told = outbox_insert(
        select(
            _bind("told_id", Uuid()).label("id"),
            moved.c.workspace_id,
            literal("sms.", String()).concat(moved.c.status).label("type"),
            sms_json(moved, "postgresql").label("payload"),
            _bind("at", UtcDateTime()).label("created_at"),
            moved.c.to_number,
        )
        .select_from(both)
        .where(applied)
    )
    return (
        select(
            *(moved.c[column.name] for column in _MOVED),
            applied.label("applied"),
            _by_status("reason", String(), found.c.status).label("reason"),
            _is_kept(found).label("is_kept"),
        )
        .select_from(both)
        .add_cte(noted.cte("noted"), told.cte("told"))
    )


def _sqlite_event(where: ColumnElement[bool]) -> Any:
    found = select(messages).where(where).cte("found")
    return (
        insert(message_events)
        .from_select(_EVENT_COLUMNS, _event_of(found))
        .returning(message_events.c.message_id, message_events.c.applied, message_events.c.reason)
    )


def _sqlite_repeat(where: ColumnElement[bool]) -> Any:
    return select(
        messages.c.id.label("message_id"),
        _by_status("applied", Boolean(), messages.c.status).label("applied"),
        _by_status("reason", String(), messages.c.status).label("reason"),
    ).where(where)


def _count_repeat() -> Any:
    """Count a report on the last one like it, or on the last one that changed nothing."""
    is_alike = and_(
        *(
            message_events.c[name].is_not_distinct_from(_bind(name, message_events.c[name].type))
            for name in ("status", "provider_status", "error_code", "reason")
        )
    )
    last = (
        select(message_events.c.id)
        .where(message_events.c.message_id == _bind("found_id", Uuid()), ~message_events.c.applied)
        .order_by(is_alike.desc(), message_events.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    return (
        update(message_events)
        .where(message_events.c.id == last)
        .values(repeats=message_events.c.repeats + 1)
    )


def _sqlite_update() -> Any:
    return (
        update(messages)
        .where(messages.c.id == _bind("found_id", Uuid()))
        .values(_changes(messages))
        .returning(*_MOVED)
    )


_ON_POSTGRES = {True: _postgres(_BY_ID, _HAS_ID), False: _postgres(_BY_SID)}
_ON_SQLITE = {True: _sqlite_event(_BY_ID), False: _sqlite_event(_BY_SID)}
_SQLITE_REPEAT = {True: _sqlite_repeat(_BY_ID), False: _sqlite_repeat(_BY_SID)}
_SQLITE_UPDATE = _sqlite_update()
_COUNT_REPEAT = _count_repeat()


def advance_message(connection: Connection, report: Report) -> Advanced | None:
    """Apply a report to its message; None if no message of the account fits."""
    values = _values(report)
    has_id = report.message_id is not None
    if connection.dialect.name == "postgresql":
        row = connection.execute(_ON_POSTGRES[has_id], values).one_or_none()
        if row is None:
            return None
        if not row.is_kept:
            _count(connection, row.id, values, row.reason)
        return _advanced(row, row)
    event = connection.execute(_ON_SQLITE[has_id], values).one_or_none()
    if event is None:
        event = connection.execute(_SQLITE_REPEAT[has_id], values).one_or_none()
        if event is None:
            return None
        _count(connection, event.message_id, values, event.reason)
    found = values | {"given_found_id": event.message_id}
    moved = connection.execute(_SQLITE_UPDATE, found).one()
    if event.applied:
        tell_customer(connection, moved, report.at)
    return _advanced(moved, event)


def _count(
    connection: Connection, message_id: UUID, values: dict[str, Any], reason: str | None
) -> None:
    counted = {"given_found_id": message_id, "given_reason": reason}
    connection.execute(_COUNT_REPEAT, values | counted)


def tell_customer(connection: Connection, moved: Any, at: datetime) -> None:
    """Add the webhook event of a message's new status to the outbox."""
    event_type = EventType(f"sms.{moved.status}")
    add_event(connection, moved.workspace_id, event_type, sms_data(moved), at)


def _advanced(row: Any, event: Any) -> Advanced:
    return Advanced(
        message_id=row.id,
        workspace_id=row.workspace_id,
        use_case_id=row.use_case_id,
        to_number=row.to_number,
        country=row.country,
        status=Status(row.status),
        created_at=row.created_at,
        applied=bool(event.applied),
        reason=None if event.reason is None else Reason(event.reason),
    )


def _values(report: Report) -> dict[str, Any]:
    decisions = {status: follow(status, report.status) for status in Status}
    facts = facts_of(report.status)
    given = {
        "account_sid": report.account_sid,
        "message_sid": report.message_sid,
        "message_id": report.message_id,
        "event_id": new_id(),
        "told_id": new_id(),
        "at": report.at,
        "status": report.status.value,
        "provider_status": report.provider_status,
        "error_code": report.error_code,
        "from_number": report.from_number,
        "num_segments": report.num_segments,
        "sid_source": report.sid_source,
        "next_check_at": report.at + ACCEPTED_CHECKS[0],
        "ends": report.status.is_terminal,
        "hands_off": facts.hand_off,
        "delivers": facts.delivery,
        "errs": facts.error,
        **{f"applied_{status}": decisions[status].applied for status in Status},
        **{f"reason_{status}": decisions[status].reason for status in Status},
        **{f"adds_{status}": decisions[status].adds_facts for status in Status},
    }
    return {f"given_{name}": value for name, value in given.items()}
