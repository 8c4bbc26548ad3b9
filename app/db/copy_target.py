"""Checks before a copy; each raises `CopyRefused`."""

import secrets
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, inspect
from sqlalchemy.exc import DBAPIError

from app.db.copy import CopyRefused, first_line
from app.db.engine import Database
from app.db.heartbeats import last_beat
from app.db.schema import UnknownRevision, current_revision, latest_revision, upgrade
from app.db.stored_rows import Key, read_keys, stored_tables
from app.kernel.errors import ServiceUnavailable

_STILL_ALIVE = timedelta(minutes=1)


def require_revision(database: Database, name: str) -> None:
    found, wanted = current_revision(database), latest_revision()
    if found != wanted:
        raise CopyRefused(
            f"the {name} is at revision {found or 'none'} and this program needs {wanted}: "
            "run `borderpost db upgrade` on it"
        )


def require_reachable(target: Database) -> None:
    try:
        with target.reading() as connection:
            connection.exec_driver_sql("SELECT 1")
    except (ServiceUnavailable, DBAPIError) as problem:
        cause = problem if isinstance(problem, DBAPIError) else problem.__cause__
        reason = first_line(cause) if isinstance(cause, DBAPIError) else "no answer"
        raise CopyRefused(f"the target cannot be reached ({reason})") from problem


def require_two(source: Database, target: Database) -> None:
    if source.is_sqlite != target.is_sqlite:
        return
    with source.snapshot() as one, target.snapshot() as other:
        is_same = _file(one).samefile(_file(other)) if source.is_sqlite else _share(one, other)
    if is_same:
        raise CopyRefused("the target is the configured database itself")


def require_stopped(database: Database, name: str, now: datetime) -> None:
    """Check that no worker had a heartbeat within a minute."""
    with database.reading() as connection:
        beat = last_beat(connection)
    if beat is not None and now - beat < _STILL_ALIVE:
        raise CopyRefused(
            f"a worker is alive on the {name}: stop the gateway and the worker, "
            "wait a minute, and run this again"
        )


def migrate_target(target: Database) -> None:
    """Refuses the database of a newer version or another program."""
    before = current_revision(target)
    if before is None:
        with target.reading() as connection:
            if inspect(connection).get_table_names():
                raise CopyRefused("the target holds tables of another program: name an empty one")
    try:
        upgrade(target)
    except UnknownRevision as problem:
        raise CopyRefused(
            f"the target is at revision {before}, which this program does not know"
        ) from problem


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
