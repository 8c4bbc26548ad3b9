"""SQLite engines.

Every connection uses WAL, ``synchronous=FULL`` and foreign keys. Writers begin ``IMMEDIATE``,
because a deferred transaction that becomes a writer fails under load.
"""

import os
import time
from sqlite3 import SQLITE_BUSY, OperationalError as SqliteLocked
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event

_RETRY_SECONDS = 0.01
# SQLite sleeps 1, 2 and 5 ms within it.
_LOOK_SECONDS = 0.008


def make_sqlite_engine(url: str, pool_size: int, wait_seconds: float) -> Engine:
    engine = create_engine(
        url,
        connect_args={"timeout": wait_seconds, "check_same_thread": False},
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=wait_seconds,
        hide_parameters=True,
    )
    _make_private(engine.url.database)

    def prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # transactions begin explicitly
        _use_wal(connection, wait_seconds)
        for pragma in ("synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}").close()

    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        own_wait = options.get("borderpost_wait_seconds", wait_seconds)
        driver: Any = connection.connection.driver_connection
        if options.get("borderpost_reads", False):
            _wait_at_most(driver, own_wait)
            connection.exec_driver_sql("BEGIN")
        elif not _begin_soon(driver, own_wait):
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", begin)
    return engine


def _make_private(path: str | None) -> None:
    """Create a missing file with mode 0600."""
    if path is None:
        return
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError:  # it exists, or connecting will fail with the reason
        return


def _use_wal(connection: Any, wait_seconds: float) -> None:
    """Switch the file to WAL; processes that open a new file together take turns.

    If two connections switch, each holds the other's lock, and SQLite answers "locked"
    immediately; the loser must release its lock and retry.
    """
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").close()
        except SqliteLocked as problem:
            if problem.sqlite_errorcode != SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_RETRY_SECONDS)
        else:
            return


def _begin_soon(driver: Any, wait_seconds: float) -> bool:
    """Begin to write; False if it must be tried for the last time.

    SQLite itself soon looks only ten times a second. Another process that writes all the time
    leaves the file free for moments only.
    """
    deadline = time.monotonic() + wait_seconds - _LOOK_SECONDS
    _wait_at_most(driver, min(wait_seconds, _LOOK_SECONDS))
    while time.monotonic() < deadline:
        try:
            driver.execute("BEGIN IMMEDIATE").close()
        except SqliteLocked as problem:
            if problem.sqlite_errorcode != SQLITE_BUSY:
                return False
        else:
            return True
    return False


def _wait_at_most(driver: Any, seconds: float) -> None:
    driver.execute(f"PRAGMA busy_timeout={int(seconds * 1000)}").close()
