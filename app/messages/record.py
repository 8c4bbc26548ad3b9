"""A message in the API's form."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select

from app.access.principal import Role, shown_body, shown_number
from app.db.rows import AnyRow, from_row
from app.kernel.clock import rfc3339
from app.messages.tables import messages
from app.providers.port import Status


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
