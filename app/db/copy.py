"""Copying every row of one database into another, in resumable batches.

Rows are copied in key order, so the largest key of a target table tells where to continue. Nothing
is changed or deleted on either side.
"""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any, TypeAlias

from sqlalchemy import Column, Connection, Table, insert, select
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from app.db.engine import Database
from app.db.stored_rows import Key, StoredRow, key_columns, last_key, read_rows, stored_tables

Note: TypeAlias = Callable[[int], None]


class CopyRefused(Exception):
    """The copy is not possible; the text says why and gives the remedy."""


def copy_rows(source: Database, target: Database, note: Note) -> None:
    """Copy the rows that the target lacks; ``note`` gets the number of rows since its last call.

    The source is read from one snapshot. Each batch is one transaction at the target.

    Raises:
        CopyRefused: the target cannot hold a row of the source.
        ServiceUnavailable: one of them cannot be reached.
    """
    with source.snapshot() as connection:
        for table in stored_tables():
            reference = _reference_to_itself(table)
            if reference is None:
                _copy_behind(connection, table, target, note)
            else:
                _copy_referred_first(connection, reference, target, note)


def _copy_behind(source: Connection, table: Table, target: Database, note: Note) -> None:
    with target.snapshot() as connection:
        after: Key | None = last_key(connection, table)
    with closing(read_rows(source, table, after)) as batches:
        for rows in batches:
            _insert(target, table, rows)
            note(len(rows))


def _copy_referred_first(
    source: Connection, reference: Column[Any], target: Database, note: Note
) -> None:
    """Copy a table with references to itself, in as many passes as needed."""
    table = reference.table
    while True:
        copied = waiting = 0
        with closing(read_rows(source, table)) as batches:
            for rows in batches:
                ready, wait = _sorted_out(rows, reference, target)
                _insert(target, table, ready)
                copied, waiting = copied + len(ready), waiting + wait
                note(len(ready))
        if not waiting:
            return
        if not copied:
            raise CopyRefused(f"{table.name}: {waiting} rows refer to each other in a circle")


def _sorted_out(
    rows: list[StoredRow], reference: Column[Any], target: Database
) -> tuple[list[StoredRow], int]:
    """Return the missing rows whose references exist, and the number of rows that must wait."""
    (key,) = key_columns(reference.table)
    named = {row[name] for row in rows for name in (key.name, reference.name)}
    with target.reading() as connection:
        there = set(connection.execute(select(key).where(key.in_(named - {None}))).scalars())
    missing = [row for row in rows if row[key.name] not in there]
    ready = []
    for row in missing:
        if row[reference.name] in there | {None, row[key.name]}:
            ready.append(row)
            there.add(row[key.name])
    return ready, len(missing) - len(ready)


def _reference_to_itself(table: Table) -> Column[Any] | None:
    found = [one.parent for one in table.foreign_keys if one.column.table is table]
    return found[0] if found else None


def _insert(target: Database, table: Table, rows: list[StoredRow]) -> None:
    if not rows:
        return
    with _refusals_told(table), target.writing() as connection:
        connection.execute(insert(table), rows)


@contextmanager
def _refusals_told(table: Table) -> Iterator[None]:
    """Return why a row was refused, without its values, which may be numbers and bodies."""
    try:
        yield
    except (DataError, IntegrityError) as problem:
        raise CopyRefused(
            f"{table.name}: the target refuses a row: {first_line(problem)}"
        ) from problem


def first_line(problem: DBAPIError) -> str:
    """Return the first line of a database error; the others may hold values."""
    return str(problem.orig).strip().partition("\n")[0]
