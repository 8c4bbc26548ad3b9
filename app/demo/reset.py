"""Deletion of the demo's organization with all its rows."""

from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Connection, Table, delete, or_, select

from app.access.tables import organizations
from app.db.engine import Database
from app.db.metadata import metadata
from app.demo.tenant import DEMO_ORGANIZATION, NOTE_FILE, read_note

# Columns that refer to a row without a foreign key, by their names.
_REFERENCES = {
    "organization_id": ("organizations.id",),
    "workspace_id": ("workspaces.id",),
    "scope_id": ("workspaces.id", "use_cases.id"),
    "use_case_id": ("use_cases.id",),
    "account_sid": ("provider_accounts.sid",),
    "message_id": ("messages.id",),
}


def remove_demo(database: Database, instance: Path) -> dict[str, int]:
    """Delete the demo's organization; return the deleted rows by table."""
    deleted: dict[str, int] = {}
    with database.writing() as connection:
        organization_id = find_demo(connection, instance)
        if organization_id is not None:
            deleted = delete_organization(connection, organization_id)
    (instance / NOTE_FILE).unlink(missing_ok=True)
    return deleted


def find_demo(connection: Connection, instance: Path) -> UUID | None:
    noted = read_note(instance).get("ORGANIZATION_ID")
    is_demo = (
        organizations.c.id == UUID(noted)
        if noted is not None
        else organizations.c.name == DEMO_ORGANIZATION
    )
    found: UUID | None = connection.execute(select(organizations.c.id).where(is_demo)).scalar()
    return found


def delete_organization(connection: Connection, organization_id: UUID) -> dict[str, int]:
    tables = metadata.tables
    parents = {name: {of.table.name for _, of in _references(tables[name])} for name in tables}
    order = list(TopologicalSorter(parents).static_order())
    conditions = {organizations.name: organizations.c.id == organization_id}
    for name in order:
        found = [
            column.in_(select(of).where(conditions[of.table.name]))
            for column, of in _references(tables[name])
            if of.table.name in conditions
        ]
        if found:
            conditions[name] = or_(*found)
    deleted = {}
    for name in reversed(order):
        if name in conditions:
            done = connection.execute(delete(tables[name]).where(conditions[name]))
            if done.rowcount:
                deleted[name] = done.rowcount
    return deleted


def _references(table: Table) -> Iterator[tuple[Column[Any], Column[Any]]]:
    for column in table.columns:
        for key in column.foreign_keys:
            if key.column.table is not table:
                yield column, key.column
        if not column.foreign_keys and column.name in _REFERENCES:
            for name, _, of in (one.partition(".") for one in _REFERENCES[column.name]):
                yield column, metadata.tables[name].columns[of]
