"""The data of an `sms.…` event, from a row or inside a statement. Never the text of the message."""

from datetime import datetime
from typing import Any
from uuid import UUID

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


def sms_json(table: str) -> str:
    """Write that data as an SQL expression for JSON text on PostgreSQL, of a table of one row."""
    fields = ", ".join(
        f"{_IN_UTC.format(name)} AS {name}" if name.endswith("_at") else name for name in SMS_FIELDS
    )
    return f"(SELECT row_to_json(data)::text FROM (SELECT {fields} FROM {table}) AS data)"


_IN_UTC = "to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"
