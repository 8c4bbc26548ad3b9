"""The data of an `sms.…` event, from a row or inside a statement. Never the text of the message."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, Text, Uuid, cast, func

from app.db.types import UtcDateTime
from app.kernel.clock import rfc3339

SMS_FIELDS = (
    "id",
    "workspace_id",
    "use_case_id",
    "status",
    "error_code",
    "to_number",
    "from_number",
    "num_segments",
    "handed_off_at",
    "delivered_at",
    "errored_at",
)


def sms_data(row: Any) -> dict[str, Any]:
    """Write the data of an event from anything that has the fields as attributes."""
    return {name: _written(getattr(row, name)) for name in SMS_FIELDS}


def _written(value: Any) -> Any:
    if isinstance(value, datetime):
        return rfc3339(value)
    return str(value) if isinstance(value, UUID | str) else value


def sms_json(row: FromClause, dialect_name: str) -> ColumnElement[str]:
    """Build the expression of that data as JSON text, from a table, a CTE or a RETURNING."""
    postgres = dialect_name == "postgresql"
    pairs: list[Any] = []
    for name in SMS_FIELDS:
        pairs += [name, (_on_postgres if postgres else _on_sqlite)(row.c[name])]
    if postgres:
        return cast(func.json_build_object(*pairs), Text)
    return func.json_object(*pairs, type_=Text())


def _on_postgres(column: ColumnElement[Any]) -> ColumnElement[Any]:
    if isinstance(column.type, UtcDateTime):
        in_utc = func.timezone("UTC", column)
        return func.to_char(in_utc, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
    return column


def _on_sqlite(column: ColumnElement[Any]) -> ColumnElement[Any]:
    # Times are stored there as they are written on the wire, UUIDs without their hyphens.
    if not isinstance(column.type, Uuid):
        return column
    plain = cast(column, Text)
    text: Any = func.substr(plain, 1, 8)
    for start, length in ((9, 4), (13, 4), (17, 4), (21, 12)):
        text = text.concat("-").concat(func.substr(plain, start, length))
    return text  # type: ignore[no-any-return]
