"""SQL that applies one delivery report, with its event.

`app.messages.lifecycle` decides. The usual report moves an accepted message that has its SID: one
short statement does this if the message has a status that the report replaces. For any other report
the decisions for the five statuses are a parameter, and the database picks the one for the status
of the locked row. Each is one statement on PostgreSQL and one immediate transaction on SQLite.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection

from app.db.statement import Statement, free_rows, rows_json, rows_of, with_rows
from app.kernel.ids import new_id
from app.messages.check_times import ACCEPTED_CHECKS
from app.messages.events import earliest_event_id
from app.messages.lifecycle import UNSETTLED, Reason, SidSource, Submission, effects_of, transition
from app.providers.port import DeliveryReport, Status
from app.webhooks.outbox import (
    SMS_FIELDS,
    EventType,
    add_event,
    has_endpoint,
    outbox_insert,
    sms_data,
    sms_json,
)

# The maximum of stored reports that changed nothing. A message has only a few others. Further
# reports are counted on the last equal one.
KEPT_REPORTS = 40


class Report(NamedTuple):
    """``at`` is the time of its arrival."""

    delivery: DeliveryReport
    at: datetime

    @property
    def has_signed_id(self) -> bool:
        return self.delivery.is_signed and self.delivery.message_id is not None


@dataclass(frozen=True, slots=True)
class AppliedReport:
    message_id: UUID
    applied: bool
    reason: Reason | None


_FLAGS = ("applied", "ends", "hands_off", "delivers", "errs")


def _one_of(values: tuple[Submission, ...]) -> str:
    return "(" + ", ".join(f"'{one}'" for one in values) + ")"


_HELD_ELSEWHERE = """EXISTS (SELECT 1 FROM messages AS other
      WHERE other.message_sid = :message_sid AND other.account_sid = m.account_sid
      AND other.id <> m.id)"""
_MAY_BE_REPORTED = _one_of((*UNSETTLED, Submission.ACCEPTED))
# A message that ended without a trace must be reopened first, and a SID that
# another message has by a guess removed from it: see app.messages.delivery.guessed_sids. A
# report without a source is about a SID that the message had when the worker asked: it never gives
# the SID back to a message that has lost it since.
_FITS = f"""m.account_sid = :account_sid
    AND m.submission IN {_MAY_BE_REPORTED}
    AND (m.message_sid = :message_sid OR (m.message_sid IS NULL
      AND :sid_source::text IS NOT NULL AND NOT {_HELD_ELSEWHERE}))"""
_BY_ID = f"m.id = :message_id AND {_FITS}"
_BY_SID = f"""m.message_sid = :message_sid AND m.account_sid = :account_sid
    AND m.submission IN {_MAY_BE_REPORTED}
    AND NOT (m.sid_source IS NOT DISTINCT FROM '{SidSource.LIST}' AND {_HELD_ELSEWHERE})"""


def _seen(where: str, lock: str = "") -> str:
    """Return the SQL ``seen``: the message with the decision for its status."""
    flags = ", ".join(f"(decision ->> '{name}')::boolean AS {name}" for name in _FLAGS)
    return f"""WITH found AS (
  SELECT m.id, m.event_count, :decisions::jsonb -> m.status AS decision
  FROM messages AS m WHERE {where} {lock}),
decided AS (SELECT id, event_count, decision ->> 'reason' AS reason, {flags} FROM found),
seen AS (SELECT *, applied OR event_count < {KEPT_REPORTS} AS is_kept FROM decided)"""


_EVENT = """INSERT INTO message_events (
    id, message_id, at, status, provider_status, error_code, applied, reason)
  SELECT :event_id, id, :at, :status, :provider_status, :error_code,
    applied, reason
  FROM seen WHERE is_kept"""


def _moved(
    where: str, returned: str, *, applied: str, is_kept: str, flag: str = "{}", source: str = ""
) -> str:
    """Return the SQL of the update: facts fill nulls, the status changes only if applied.

    ``flag`` turns the name of a flag into SQL: a column of ``source``, or a parameter.
    """
    ends, hands_off, delivers, errs = map(flag.format, _FLAGS[1:])
    return f"""UPDATE messages AS m SET
    submission = '{Submission.ACCEPTED}',
    sent_number = NULL,
    event_count = m.event_count + CASE WHEN {is_kept} THEN 1 ELSE 0 END,
    message_sid = coalesce(m.message_sid, :message_sid),
    sid_source = CASE WHEN m.sid_source = '{SidSource.ANSWER}' THEN m.sid_source
      ELSE coalesce(:sid_source, m.sid_source) END,
    from_number = coalesce(m.from_number, :from_number),
    status = CASE WHEN {applied} THEN :status ELSE m.status END,
    handed_off_at = coalesce(m.handed_off_at, CASE WHEN {hands_off} THEN :at::timestamptz END),
    num_segments = coalesce(m.num_segments,
      CASE WHEN {hands_off} THEN coalesce(:num_segments::integer, m.counted_segments) END),
    delivered_at = coalesce(m.delivered_at, CASE WHEN {delivers} THEN :at END),
    errored_at = coalesce(m.errored_at, CASE WHEN {errs} THEN :at END),
    error_code = coalesce(m.error_code, CASE WHEN {errs} THEN :error_code::integer END),
    updated_at = CASE WHEN {applied} OR m.message_sid IS NULL
      OR (m.from_number IS NULL AND :from_number IS NOT NULL)
      OR ({hands_off} AND (m.handed_off_at IS NULL OR m.num_segments IS NULL))
      OR ({delivers} AND m.delivered_at IS NULL) OR ({errs} AND m.errored_at IS NULL)
      OR ({errs} AND m.error_code IS NULL AND :error_code IS NOT NULL)
      THEN :at ELSE m.updated_at END,
    check_at = CASE WHEN {ends} THEN NULL
      WHEN m.submission IN {_one_of(UNSETTLED)} THEN :next_check_at ELSE m.check_at END
  {source}WHERE {where}
  RETURNING {returned}"""


def _reported(found: str) -> str:
    """Return the SQL of the event for customers about a moved message."""
    return outbox_insert(
        f"""SELECT :event_id AS id, moved.workspace_id, 'sms.' || moved.status AS type,
    {sms_json("moved")} AS payload, :at AS created_at, moved.to_number
  FROM {found}"""
    )


_SQLITE_COLUMNS = ", ".join((*SMS_FIELDS, f"{has_endpoint('messages')} AS has_endpoint"))
_MOVED_COLUMNS = ", ".join(f"m.{name}" for name in SMS_FIELDS)


def _moved_on_sqlite(text: str) -> Statement:
    return Statement(
        text,
        ids=("id", "workspace_id", "use_case_id"),
        times=("handed_off_at", "delivered_at", "errored_at"),
    )


_TYPES = {
    "account_sid": "text",
    "message_sid": "text",
    "message_id": "uuid",
    "event_id": "uuid",
    "at": "timestamptz",
    "status": "text",
    "provider_status": "text",
    "error_code": "integer",
    "from_number": "text",
    "num_segments": "integer",
    "sid_source": "text",
    "next_check_at": "timestamptz",
    "replaced": "text[]",
    **dict.fromkeys(_FLAGS[1:], "boolean"),
}


class _UsualStatements:
    """The statements for reports that move accepted messages; they find no other messages.

    ``together`` is for several reports on PostgreSQL, each about another message.
    """

    def __init__(self) -> None:
        where = f"""m.id = :message_id AND m.account_sid = :account_sid
    AND m.submission = '{Submission.ACCEPTED}' AND m.message_sid = :message_sid
    AND m.status = ANY(:replaced)"""
        given = {"applied": "TRUE", "is_kept": "TRUE", "flag": ":{}"}
        columns = "id, message_id, at, status, provider_status, error_code, applied"
        event = ":event_id, {}, :at, :status, :provider_status, :error_code, TRUE"

        def move_and_report(moved: str, source: str = "") -> str:
            return f"""moved AS ({_moved(where, _MOVED_COLUMNS, source=source, **given)}),
reported AS ({_reported(moved)})"""

        note = f"INSERT INTO message_events ({columns}) SELECT {event.format('moved.id')} FROM"
        self.on_postgresql = Statement(f"WITH {move_and_report('moved')}\n{note} moved")
        moved = "moved JOIN reports AS r ON r.message_id = moved.id"
        source = "FROM reports AS r JOIN free ON free.id = r.message_id "
        self.together = Statement(
            f"""WITH reports AS ({rows_of("reports", "r", _TYPES)}),
{free_rows("reports", "message_id", "messages")},
{with_rows(move_and_report(moved, source), "r")},
noted AS ({with_rows(note, "r")} {moved} RETURNING message_id)
SELECT json_agg(message_id) AS moved FROM noted"""
        )
        self.move = _moved_on_sqlite(_moved(where, _SQLITE_COLUMNS, **given))
        self.note = Statement(
            f"INSERT INTO message_events ({columns}) VALUES ({event.format(':message_id')})"
        )


class _Statements:
    """The statements for any report with our id, or without it."""

    def __init__(self, where: str, place: str) -> None:
        given = {"applied": "applied", "is_kept": "is_kept", "source": "FROM seen "}
        place = f"m.id = seen.id{place}"
        self.on_postgresql = Statement(
            f"""{_seen(where, "FOR UPDATE")},
noted AS ({_EVENT}),
moved AS ({_moved(place, f"{_MOVED_COLUMNS}, applied, reason, is_kept", **given)}),
reported AS ({_reported("moved WHERE applied")})
SELECT id, applied, reason, is_kept FROM moved""",
            ids=("id",),
        )
        seen = _seen(where)
        self.note = Statement(
            f"{seen}\n{_EVENT}\nRETURNING message_id AS id, applied, reason", ids=("id",)
        )
        self.look = Statement(f"{seen}\nSELECT id, applied, reason FROM seen", ids=("id",))
        self.move = _moved_on_sqlite(f"{seen}\n{_moved(place, _SQLITE_COLUMNS, **given)}")


USUAL_REPORT = _UsualStatements()
# The repeated condition lets PostgreSQL read one partition only.
REPORT_WITH_ID = _Statements(_BY_ID, " AND m.id = :message_id")
REPORT_WITHOUT_ID = _Statements(_BY_SID, "")

_COUNT_REPEAT = Statement(
    """UPDATE message_events SET repeats = repeats + 1
WHERE id = (
  SELECT id FROM message_events
  WHERE message_id = :found_id AND id >= :earliest_event_id AND NOT applied
  ORDER BY (status IS NOT DISTINCT FROM :status
    AND provider_status IS NOT DISTINCT FROM :provider_status
    AND error_code IS NOT DISTINCT FROM :error_code
    AND reason IS NOT DISTINCT FROM :reason) DESC, id DESC
  LIMIT 1)"""
)


def apply_report(connection: Connection, report: Report) -> AppliedReport | None:
    """Return None if no message of the account matches."""
    values, message_id = _values(report), report.delivery.message_id
    if message_id is not None and values["replaced"] and _move(connection, values, report.at):
        return AppliedReport(message_id, applied=True, reason=None)
    run = REPORT_WITHOUT_ID if message_id is None else REPORT_WITH_ID
    if connection.dialect.name == "postgresql":
        row = run.on_postgresql.first(connection, values)
        if row is not None and not row.is_kept:
            _count(connection, row.id, values, row.reason)
        return None if row is None else _applied_report(row)
    event = run.note.first(connection, values)
    if event is None:
        event = run.look.first(connection, values)
        if event is None:
            return None
        _count(connection, event.id, values, event.reason)
    moved = run.move.first(connection, values)
    if event.applied and moved.has_endpoint:
        enqueue_event(connection, moved, report.at)
    return _applied_report(event)


def move_messages(connection: Connection, reports: Sequence[Report]) -> list[AppliedReport | None]:
    """Apply the usual reports on PostgreSQL, of several about one message only the first."""
    usual = [report for report in reports if _CONSTANTS[report.delivery.status]["replaced"]]
    first = {report.delivery.message_id: report for report in reversed(usual)}
    given = map(_values, first.values())
    rows = rows_json({name: values[name] for name in _TYPES} for values in given)
    found = USUAL_REPORT.together.first(connection, {"reports": rows}).moved or ()
    moved = {UUID(message_id) for message_id in found}
    return [
        AppliedReport(message_id, applied=True, reason=None)
        if (message_id := report.delivery.message_id) in moved and report is first[message_id]
        else None
        for report in reports
    ]


def _move(connection: Connection, values: dict[str, Any], at: datetime) -> bool:
    """Apply the usual report; return False if the message is not as it must be."""
    if connection.dialect.name == "postgresql":
        return USUAL_REPORT.on_postgresql.run(connection, values) == 1
    moved = USUAL_REPORT.move.first(connection, values)
    if moved is None:
        return False
    USUAL_REPORT.note.run(connection, values)
    if moved.has_endpoint:
        enqueue_event(connection, moved, at)
    return True


def _count(
    connection: Connection, message_id: UUID, values: dict[str, Any], reason: str | None
) -> None:
    more = {"found_id": message_id, "earliest_event_id": earliest_event_id(message_id)}
    _COUNT_REPEAT.run(connection, values | more | {"reason": reason})


def enqueue_event(connection: Connection, moved: Any, at: datetime) -> None:
    add_event(connection, moved.workspace_id, EventType(f"sms.{moved.status}"), sms_data(moved), at)


def _applied_report(row: Any) -> AppliedReport:
    return AppliedReport(
        message_id=row.id,
        applied=bool(row.applied),
        reason=None if row.reason is None else Reason(row.reason),
    )


def _values(report: Report) -> dict[str, Any]:
    delivery = report.delivery
    return _CONSTANTS[delivery.status] | {
        "account_sid": delivery.account_sid,
        "message_sid": delivery.message_sid,
        "message_id": delivery.message_id,
        "event_id": new_id(),
        "at": report.at,
        "status": delivery.status.value,
        "provider_status": delivery.provider_status,
        "error_code": delivery.error_code,
        "from_number": delivery.from_number,
        "num_segments": delivery.num_segments,
        # None if the worker asked about the SID that the message already had.
        "sid_source": SidSource.CALLBACK.value if report.has_signed_id else None,
        "next_check_at": report.at + ACCEPTED_CHECKS[0],
    }


def _constants(reported: Status) -> dict[str, Any]:
    """Return the parameters that depend on the status alone.

    ``replaced`` are the statuses that it replaces, and the flags those of its effects then.
    """
    facts = effects_of(reported)
    decided = {}
    for current in Status:
        decision = transition(current, reported)
        decided[current] = {
            "reason": decision.reason,
            "applied": decision.applied,
            "ends": decision.applied and reported.is_terminal,
            "hands_off": decision.adds_effects and facts.hand_off,
            "delivers": decision.adds_effects and facts.delivery,
            "errs": decision.adds_effects and facts.error,
        }
    replaced = [current.value for current in Status if decided[current]["applied"]]
    flags = decided[Status(replaced[0])] if replaced else {}
    return {**flags, "decisions": json.dumps(decided), "replaced": replaced}


_CONSTANTS = {status: _constants(status) for status in Status}
