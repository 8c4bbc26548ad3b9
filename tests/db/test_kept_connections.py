"""Connections that are kept between two uses."""

import threading
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from app.db.engine import Database
from app.db.statement import Statement
from app.kernel.errors import ServiceUnavailable

_ONE = Statement("SELECT 1 AS one")


@pytest.fixture
def database(fresh_postgres_url: str) -> Iterator[Database]:
    database = Database(fresh_postgres_url, pool_size=1)
    yield database
    database.close()


def _server_process(database: Database) -> int:
    with database.reading() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        process: int = driver.info.backend_pid
        return process


def _pool_is_used(database: Database) -> bool:
    return "Current Checked out connections: 1" in database.engine.pool.status()


def test_a_connection_is_kept_for_the_next_use(database: Database) -> None:
    with database.writing_once() as connection:
        assert _ONE.first(connection, {}).one == 1
    assert _pool_is_used(database)
    with database.reading() as again:
        assert again is connection


def test_a_connection_with_a_transaction_is_not_kept(database: Database) -> None:
    """Break: keep it; the next user finds settings and a transaction of this one."""
    with database.reading() as connection:
        connection.execute(text("SELECT 1"))
    assert not _pool_is_used(database)
    assert connection.closed


def test_a_thread_that_waits_for_the_pool_gets_a_kept_connection(database: Database) -> None:
    """Break: do not look for waiting threads in `keep`."""
    kept = database.engine and database._kept
    done: list[bool] = []

    def write() -> None:
        with database.writing() as connection:
            done.append(connection.execute(text("SELECT true")).scalar_one())

    with database.reading():
        thread = threading.Thread(target=write)
        thread.start()
        while not kept._waiting:
            time.sleep(0.001)
        time.sleep(0.05)  # into the pool's wait; earlier, it finds the connection by itself
    thread.join(30)
    assert done == [True]


def test_a_transaction_takes_a_kept_connection_through_the_pool(database: Database) -> None:
    before = _server_process(database)
    with database.writing() as connection:
        assert connection.execute(text("SELECT pg_backend_pid()")).scalar_one() == before


def test_after_a_lost_connection_none_is_kept(database: Database, fresh_postgres_url: str) -> None:
    """Break: keep the others after an error."""
    before = _server_process(database)
    other = Database(fresh_postgres_url)
    with other.writing() as connection:
        connection.execute(text("SELECT pg_terminate_backend(:process)"), {"process": before})
    other.close()
    with pytest.raises(ServiceUnavailable), database.reading() as connection:
        _ONE.first(connection, {})
    assert _server_process(database) != before
