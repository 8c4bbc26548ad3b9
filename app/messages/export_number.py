"""All stored data about one number.

Pseudonymised rows are found by the pseudonym. Refusals have masked numbers, which do not identify a
person, so they are left out.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Table, Text, cast, or_, select

from app.destinations.tables import destination_revisions, destination_rules
from app.guards.tables import alerts, guard_counters, guard_trips
from app.kernel.clock import rfc3339
from app.kernel.phone import PhoneNumber
from app.messages.tables import idempotency_keys, message_events, messages
from app.use_cases.tables import opt_outs, recipient_consents
from app.webhooks.tables import webhook_events

# Columns with a number or its pseudonym.
HOLDS_NUMBER: Mapping[Table, tuple[str, ...]] = {
    messages: ("to_number", "sent_number"),
    webhook_events: ("to_number",),
    opt_outs: ("to_number",),
    recipient_consents: ("to_number",),
    destination_rules: ("value",),
    guard_counters: ("value",),
    guard_trips: ("value",),
    alerts: ("counter_value",),
}


def export_number(
    connection: Connection, number: PhoneNumber, pseudonym: str, now: datetime
) -> dict[str, Any]:
    """Return the rows by table, and rules in policy histories."""
    held: dict[str, list[dict[str, Any]]] = {}
    for table, names in HOLDS_NUMBER.items():
        is_about = or_(*(table.c[name].in_([number, pseudonym]) for name in names))
        held[table.name] = _rows(connection, table, is_about)
    ids = [UUID(row["id"]) for row in held[messages.name]]
    for table in (message_events, idempotency_keys):
        held[table.name] = _rows(connection, table, table.c.message_id.in_(ids))
    held[webhook_events.name] += _rows(
        connection,
        webhook_events,
        webhook_events.c.to_number.is_(None)
        & webhook_events.c.payload.contains(f'"{number}"', autoescape=True),
    )
    return {
        "number": str(number),
        "exported_at": rfc3339(now),
        **held,
        "rules_in_history": _rules_in_history(connection, number),
    }


def _rows(connection: Connection, table: Table, condition: Any) -> list[dict[str, Any]]:
    query = select(table).where(condition).order_by(*table.primary_key.columns)
    rows = connection.execute(query).mappings()
    return [{name: _value(value) for name, value in row.items()} for row in rows]


def _rules_in_history(connection: Connection, number: str) -> list[dict[str, Any]]:
    table = destination_revisions
    quoting = cast(table.c.rules, Text).contains(f'"{number}"', autoescape=True)
    return [
        {
            "workspace_id": str(row.workspace_id),
            "revision": row.revision,
            "at": rfc3339(row.at),
            "rules": [rule for rule in row.rules if rule["value"] == number],
        }
        for row in connection.execute(select(table).where(quoting).order_by(table.c.id))
    ]


def _value(value: Any) -> Any:
    match value:
        case datetime():
            return rfc3339(value)
        case UUID() | date():
            return str(value)
        case _:
            return value
