"""Copies every row of one database into another, in resumable batches.

Rows are copied in key order, so a copy continues after the largest key of a target table.
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
    """The copy is not possible; the text has reason and remedy."""


def copy_rows(source: Database, target: Database, note: Note) -> None:
    """``note`` gets the number of rows since its last call.

    The source is read from one snapshot; each batch is one transaction. Raises `CopyRefused`.
    """
    with source.snapshot() as connection:
        for table in stored_tables():
            reference = _reference_to_itself(table)
            if reference is None:
                _copy_behind(connection, table, target, note)
            else:
                _copy_self_referencing(connection, reference, target, note)


def _copy_behind(source: Connection, table: Table, target: Database, note: Note) -> None:
    with target.snapshot() as connection:
        after: Key | None = last_key(connection, table)
    with closing(read_rows(source, table, after)) as batches:
        for rows in batches:
            _insert(target, table, rows)
            note(len(rows))


def _copy_self_referencing(
    source: Connection, reference: Column[Any], target: Database, note: Note
) -> None:
    table = reference.table
    while True:
        copied = waiting = 0
        with closing(read_rows(source, table)) as batches:
            for rows in batches:
                ready, wait = _split_ready(rows, reference, target)
                _insert(target, table, ready)
                copied, waiting = copied + len(ready), waiting + wait
                note(len(ready))
        if not waiting:
            return
        if not copied:
            raise CopyRefused(f"{table.name}: {waiting} rows refer to each other in a circle")


def _split_ready(
    rows: list[StoredRow], reference: Column[Any], target: Database
) -> tuple[list[StoredRow], int]:
    """Return the missing rows with existing references, and the number of others."""
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
    with _refusals_as_copy_refused(table), target.writing() as connection:
        connection.execute(insert(table), rows)


@contextmanager
def _refusals_as_copy_refused(table: Table) -> Iterator[None]:
    try:
        yield
    except (DataError, IntegrityError) as problem:
        raise CopyRefused(
            f"{table.name}: the target refuses a row: {first_line(problem)}"
        ) from problem


def first_line(problem: DBAPIError) -> str:
    """The other lines of a database error may contain values."""
    return str(problem.orig).strip().partition("\n")[0]
