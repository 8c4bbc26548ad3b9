"""CSV files of messages, refusals and audit events, with the filters of their pages.

Rows are read and sent page by page, without memory or connection.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any
from uuid import UUID

from flask import Response, stream_with_context
from sqlalchemy import Connection

from app.access.audit import load_audit_events
from app.access.principal import Role, shown_body, shown_number, shown_reason
from app.console.access.audit import PATH as AUDIT
from app.console.access.audit import AuditSearch
from app.console.messages.page import MESSAGES, REFUSALS, MessageSearch, RefusalSearch
from app.console.ui.forms import read_search
from app.console.ui.guards import ADMIN, VIEWER, Pages
from app.destinations.refusals import load_refusals
from app.kernel.clock import rfc3339
from app.messages.queries.details import load_message_details_page
from app.use_cases.read import load_use_case_names
from app.users.current_user import CurrentUser
from app.web.database import current_time, reading
from app.web.routes import Answer

routes = Pages()
_ROWS_AT_ONCE = 500
_PIECE = 32 * 1024
# A spreadsheet reads a text with such a beginning as a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

_MESSAGE_COLUMNS = (
    "id",
    "created_at",
    "to_number",
    "country",
    "use_case",
    "status",
    "error_code",
    "segments",
    "from_number",
    "message_sid",
    "handed_off_at",
    "delivered_at",
    "errored_at",
    "text",
)
_REFUSAL_COLUMNS = (
    "id",
    "at",
    "number",
    "country",
    "use_case",
    "code",
    "source",
    "rule",
    "scope",
    "revision",
    "provider_code",
)
_AUDIT_COLUMNS = (
    "id",
    "at",
    "action",
    "actor_kind",
    "actor_name",
    "workspace_id",
    "target",
    "details",
)


@routes.get(MESSAGES + ".csv", VIEWER, kind="text/csv")
def export_messages(current_user: CurrentUser) -> Answer:
    """Export messages; viewers get masked numbers and no texts."""
    wanted = read_search(MessageSearch)
    now, names = current_time(), _use_case_names(current_user)

    def load(connection: Connection, page: Any) -> Sequence[Any]:
        return load_message_details_page(connection, current_user.principal, page, now)

    def row_of(one: Any) -> Sequence[object]:
        message = one.message
        times = (message.handed_off_at, message.delivered_at, message.errored_at)
        return (
            message.id,
            rfc3339(message.created_at),
            shown_number(current_user.role, message.to_number),
            one.country,
            _text(names.get(message.use_case_id)),
            message.status,
            message.error_code,
            message.num_segments or one.counted_segments,
            message.from_number,
            message.message_sid,
            *(None if at is None else rfc3339(at) for at in times),
            _text(shown_body(current_user.role, message.body)),
        )

    rows = map(row_of, _every(load, wanted, lambda one: one.message.id))
    return csv_answer("messages", _MESSAGE_COLUMNS, rows)


@routes.get(REFUSALS + ".csv", VIEWER, kind="text/csv")
def export_refusals(current_user: CurrentUser) -> Answer:
    """Export refusals; their numbers are stored masked."""
    wanted = read_search(RefusalSearch)
    names, place = _use_case_names(current_user), current_user.workspace_access

    def load(connection: Connection, page: Any) -> Sequence[Any]:
        return [] if place is None else load_refusals(connection, place.workspace_id, page)

    def row_of(row: Any) -> Sequence[object]:
        return (
            row.id,
            rfc3339(row.at),
            row.masked_number,
            row.country,
            _text(names.get(row.use_case_id)),
            row.code,
            row.source,
            row.rule,
            row.scope,
            row.revision,
            row.provider_code,
        )

    rows = map(row_of, _every(load, wanted))
    return csv_answer("refusals", _REFUSAL_COLUMNS, rows)


@routes.get(AUDIT + ".csv", ADMIN, kind="text/csv")
def export_audit(current_user: CurrentUser) -> Answer:
    """Export audit events of the shown workspace, or of the organization."""
    wanted, principal = read_search(AuditSearch), current_user.principal_for(Role.ADMIN)

    def load(connection: Connection, page: Any) -> Sequence[Any]:
        return load_audit_events(connection, principal, page)

    def row_of(row: Any) -> Sequence[object]:
        return (
            row.id,
            rfc3339(row.at),
            row.action,
            row.actor_kind,
            _text(row.actor_name),
            row.workspace_id,
            _text(row.target),
            _text(shown_reason(current_user.role, row.reason)),
        )

    rows = map(row_of, _every(load, wanted))
    return csv_answer("audit", _AUDIT_COLUMNS, rows)


def _every(
    load: Callable[[Connection, Any], Sequence[Any]],
    wanted: Any,
    identify: Callable[[Any], UUID] = lambda row: row.id,
) -> Iterator[Any]:
    """Read all rows of a filter, page by page."""
    wanted = replace(wanted, limit=_ROWS_AT_ONCE)
    while True:
        with reading() as connection:
            found = load(connection, wanted)
        yield from found[:_ROWS_AT_ONCE]
        if len(found) <= _ROWS_AT_ONCE:
            return
        wanted = replace(wanted, page_token=identify(found[_ROWS_AT_ONCE - 1]))


def csv_answer(name: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
    def pieces() -> Iterator[str]:
        buffer = io.StringIO()
        writer = csv.writer(buffer)
        for row in chain([columns], rows):
            writer.writerow(row)
            if buffer.tell() > _PIECE:
                yield buffer.getvalue()
                buffer.seek(0)
                buffer.truncate()
        yield buffer.getvalue()

    answer = Response(stream_with_context(pieces()), content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return answer


def _use_case_names(current_user: CurrentUser) -> dict[UUID, str]:
    with reading() as connection:
        return load_use_case_names(connection, current_user.principal)


def _text(text: str | None) -> str:
    """Prevent that a spreadsheet reads a text as a formula."""
    return "" if text is None else f"'{text}" if text.startswith(_FORMULA) else text
