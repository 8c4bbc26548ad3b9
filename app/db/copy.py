"""Copies every row of one database into another, after checks.

Rows are copied in batches and in key order, so a copy continues after the largest key of a table.
"""

import secrets
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

from sqlalchemy import Column, Connection, Table, insert, inspect, select
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from app.db.engine import Database
from app.db.heartbeats import last_beat
from app.db.schema import current_revision, latest_revision, remedy_for, upgrade
from app.db.stored_rows import (
    Key,
    StoredRow,
    key_columns,
    last_key,
    read_keys,
    read_rows,
    stored_tables,
)
from app.kernel.errors import ServiceUnavailable

_STILL_ALIVE = timedelta(minutes=1)
Note: TypeAlias = Callable[[int], None]  # gets the number of rows since its last call


class CopyRefused(Exception):
    """The copy is not possible; the text has reason and remedy."""


def copy_rows(source: Database, target: Database, note: Note) -> None:
    """Read one snapshot; each batch is one transaction. Raises `CopyRefused`."""
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
    try:
        with target.writing() as connection:
            connection.execute(insert(table), rows)
    except (DataError, IntegrityError) as problem:
        raise CopyRefused(
            f"{table.name}: the target refuses a row: {_first_line(problem)}"
        ) from problem


def _first_line(problem: DBAPIError) -> str:
    """The other lines of a database error may contain values."""
    return str(problem.orig).strip().partition("\n")[0]


# Checks before a copy; each raises `CopyRefused`.
def require_revision(database: Database, name: str) -> None:
    found, wanted = current_revision(database), latest_revision()
    if found != wanted:
        is_older = (found or "") < wanted
        remedy = "run `borderpost db upgrade` on it" if is_older else remedy_for(found)
        raise CopyRefused(
            f"the {name} is at revision {found or 'none'} and this program needs {wanted}: {remedy}"
        )


def require_reachable(target: Database) -> None:
    try:
        with target.reading() as connection:
            connection.exec_driver_sql("SELECT 1")
    except (ServiceUnavailable, DBAPIError) as problem:
        cause = problem if isinstance(problem, DBAPIError) else problem.__cause__
        reason = _first_line(cause) if isinstance(cause, DBAPIError) else "no answer"
        raise CopyRefused(f"the target cannot be reached ({reason})") from problem


def require_two(source: Database, target: Database) -> None:
    if source.is_sqlite != target.is_sqlite:
        return
    with source.snapshot() as one, target.snapshot() as other:
        is_same = _file(one).samefile(_file(other)) if source.is_sqlite else _share(one, other)
    if is_same:
        raise CopyRefused("the target is the configured database itself")


def require_stopped(database: Database, name: str, now: datetime) -> None:
    with database.reading() as connection:
        beat = last_beat(connection)
    if beat is not None and now - beat < _STILL_ALIVE:
        raise CopyRefused(
            f"a worker is alive on the {name}: stop the gateway and the worker, "
            "wait a minute, and run this again"
        )


def migrate_target(target: Database) -> None:
    """Create the tables in an empty database; another one must have them already."""
    if current_revision(target) is not None:
        require_revision(target, "target")
        return
    with target.reading() as connection:
        if inspect(connection).get_table_names():
            raise CopyRefused("the target holds tables of another program: name an empty one")
    upgrade(target)


def require_no_other_rows(source: Database, target: Database) -> None:
    with source.snapshot() as ours, target.snapshot() as theirs:
        for table in stored_tables():
            with (
                closing(read_keys(ours, table)) as our_keys,
                closing(read_keys(theirs, table)) as their_keys,
            ):
                has_strangers = _has_strangers(our_keys, their_keys)
            if has_strangers:
                raise CopyRefused(
                    f"{table.name}: the target holds rows that the source does not have: "
                    "name an empty database, or the one of an earlier copy"
                )


def _has_strangers(ours: Iterator[Key], theirs: Iterator[Key]) -> bool:
    known = next(ours, None)
    for key in theirs:
        while known is not None and known < key:
            known = next(ours, None)
        if known != key:
            return True
    return False


def _file(connection: Connection) -> Path:
    return Path(connection.exec_driver_sql("PRAGMA database_list").all()[0][2])


def _share(one: Connection, other: Connection) -> bool:
    number = secrets.randbits(62)
    one.exec_driver_sql(f"SELECT pg_advisory_xact_lock({number})")
    return not other.exec_driver_sql(f"SELECT pg_try_advisory_xact_lock({number})").scalar_one()
