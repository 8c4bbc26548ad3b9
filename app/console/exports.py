"""CSV files of messages, refusals and audit events, with the filters of their pages.

Rows are read page by page, between which no connection is held.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Any, TypeAlias
from uuid import UUID

from flask import Response
from sqlalchemy import Connection

from app.access.principal import shown_body, shown_number, shown_reason
from app.console.access.audit import PATH as AUDIT, AuditSearch, find_audit_events
from app.console.messages.page import (
    MESSAGES,
    REFUSALS,
    MessageSearch,
    RefusalSearch,
    find_messages,
    find_refusals,
)
from app.console.ui.forms import read_search
from app.console.ui.guards import ADMIN, VIEWER, Pages
from app.kernel.clock import rfc3339
from app.kernel.concurrency import LONG_READS
from app.kernel.texts import without_formula
from app.use_cases.read import load_use_case_names
from app.users.current_user import CurrentUser
from app.web.registry import reading
from app.web.routes import csv_answer

routes = Pages()
_ROWS_AT_ONCE = 500
# The columns of a file, and how each is read from a row.
_Cells: TypeAlias = Mapping[str, Callable[[Any], object]]


def _attributes(*names: str) -> _Cells:
    return {name: attrgetter(name) for name in names}


def _time(name: str) -> Callable[[Any], object]:
    read = attrgetter(name)
    return lambda row: rfc3339(read(row))


@routes.get(MESSAGES + ".csv", VIEWER, kind="text/csv")
def export_messages(current_user: CurrentUser) -> Response:
    """Export messages; viewers get masked numbers and no texts."""
    wanted = read_search(MessageSearch)
    names, role = _use_case_names(current_user), current_user.role
    cells: _Cells = {
        "id": attrgetter("message.id"),
        "created_at": _time("message.created_at"),
        "to_number": lambda one: shown_number(role, one.message.to_number),
        "country": attrgetter("country"),
        "use_case": lambda one: _text(names.get(one.message.use_case_id)),
        "status": attrgetter("message.status"),
        "error_code": attrgetter("message.error_code"),
        "segments": lambda one: one.message.num_segments or one.counted_segments,
        "from_number": attrgetter("message.from_number"),
        "message_sid": attrgetter("message.message_sid"),
        "handed_off_at": _time("message.handed_off_at"),
        "delivered_at": _time("message.delivered_at"),
        "errored_at": _time("message.errored_at"),
        "text": lambda one: _text(shown_body(role, one.message.body)),
    }
    return _export("messages", cells, _every(find_messages, current_user, wanted))


@routes.get(REFUSALS + ".csv", VIEWER, kind="text/csv")
def export_refusals(current_user: CurrentUser) -> Response:
    """Export refusals; their numbers are stored masked."""
    wanted = read_search(RefusalSearch)
    names = _use_case_names(current_user)
    cells: _Cells = {
        "id": attrgetter("id"),
        "at": _time("at"),
        "number": attrgetter("masked_number"),
        "country": attrgetter("country"),
        "use_case": lambda row: _text(names.get(row.use_case_id)),
        **_attributes("code", "source", "rule", "scope", "revision", "provider_code"),
    }
    return _export("refusals", cells, _every(find_refusals, current_user, wanted))


@routes.get(AUDIT + ".csv", ADMIN, kind="text/csv")
def export_audit(current_user: CurrentUser) -> Response:
    wanted = read_search(AuditSearch)
    cells: _Cells = {
        "id": attrgetter("id"),
        "at": _time("at"),
        **_attributes("action", "actor_kind"),
        "actor_name": lambda row: _text(row.actor_name),
        "workspace_id": attrgetter("workspace_id"),
        "target": lambda row: _text(row.target),
        "details": lambda row: _text(shown_reason(current_user.role, row.reason)),
    }
    return _export("audit", cells, _every(find_audit_events, current_user, wanted))


@LONG_READS.slot()
def _export(name: str, cells: _Cells, rows: Iterable[Any]) -> Response:
    return csv_answer(name, list(cells), ([read(row) for read in cells.values()] for row in rows))


def _every(
    find: Callable[[Connection, CurrentUser, Any], Sequence[Any]],
    current_user: CurrentUser,
    wanted: Any,
) -> Iterator[Any]:
    wanted = replace(wanted, limit=_ROWS_AT_ONCE)
    while True:
        with reading() as connection:
            found = find(connection, current_user, wanted)
        yield from found[:_ROWS_AT_ONCE]
        if len(found) <= _ROWS_AT_ONCE:
            return
        wanted = replace(wanted, page_token=found[_ROWS_AT_ONCE - 1].id)


def _use_case_names(current_user: CurrentUser) -> dict[UUID, str]:
    with reading() as connection:
        return load_use_case_names(connection, current_user.principal)


def _text(text: str | None) -> str:
    return "" if text is None else without_formula(text)
