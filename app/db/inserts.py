"""SQLAlchemy has an INSERT with ON CONFLICT for each engine; here is one for both."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert_on_conflict(connection: Connection, table: Table) -> Any:
    """Begin the statement; it ends with ``on_conflict_do_nothing`` or ``on_conflict_do_update``."""
    is_postgresql = connection.dialect.name == "postgresql"
    return postgresql.insert(table) if is_postgresql else sqlite.insert(table)


def upsert(connection: Connection, table: Table, key: Mapping[str, Any], **values: Any) -> None:
    """Insert a row, or change the values of the one with this key."""
    row = insert_on_conflict(connection, table).values(**key, **values)
    connection.execute(row.on_conflict_do_update(index_elements=list(key), set_=values))
