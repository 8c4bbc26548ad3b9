"""Looking at the partitions of messages and events on PostgreSQL, and rows at a given time."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Table, insert, literal_column, select

from app.db.engine import Database
from app.kernel.clock import Clock
from app.messages.retention.partitions import CreatedPartitions, CreatePartitions, load_partitions
from app.messages.tables import message_events, messages
from support.factories import US_NUMBER, Tenant
from support.traffic import id_at


def create_partitions(database: Database, now: datetime) -> CreatedPartitions:
    """Make the months as the worker does at a time."""
    return CreatePartitions(database, Clock(lambda: now))()


def partitions(database: Database, table: Table = messages) -> list[str]:
    """The names of a table's partitions, the oldest first."""
    with database.reading() as c:
        return [one.name for one in load_partitions(c, table)]


def places(database: Database, table: Table = messages) -> dict[UUID, str]:
    """Which partition each row of a table lies in."""
    with database.reading() as c:
        query = select(table.c.id, literal_column("CAST(tableoid AS regclass)::text"))
        return {row[0]: row[1] for row in c.execute(query)}


def write_message(
    database: Database,
    tenant: Tenant,
    at: datetime,
    *,
    message_id: UUID | None = None,
    check_at: datetime | None = None,
) -> UUID:
    """Write a message that rests at `sent`, with an id of its time."""
    message_id = message_id or id_at(at)
    with database.writing() as c:
        c.execute(
            insert(messages).values(
                id=message_id,
                workspace_id=tenant.workspace_id,
                use_case_id=tenant.use_case_id,
                account_sid=tenant.account_sid,
                submission="accepted",
                to_number=US_NUMBER,
                country="US",
                counted_segments=1,
                status="sent",
                check_at=check_at,
                created_at=at,
                updated_at=at,
            )
        )
    return message_id


def write_event(database: Database, message_id: UUID, at: datetime) -> UUID:
    """Write what was reported of a message at a time."""
    event_id = id_at(at)
    with database.writing() as c:
        c.execute(
            insert(message_events).values(
                id=event_id, message_id=message_id, at=at, status="sent", applied=True
            )
        )
    return event_id
