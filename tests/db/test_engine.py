"""Transactions and what becomes of a database that is not there."""

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Barrier, Thread

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from app.access.tables import access_keys, organizations
from app.db import engine
from app.db.engine import Database
from app.db.schema import current_revision, latest_revision, upgrade
from app.kernel.clock import utc_now
from app.kernel.errors import ServiceUnavailable
from app.kernel.ids import new_id
from support.polling import PATIENCE_SECONDS
from support.threads import together


def row(name: str) -> dict[str, object]:
    now = utc_now()
    return {
        "id": new_id(),
        "name": name,
        "denied_destinations": [],
        "created_at": now,
        "updated_at": now,
    }


def names(database: Database) -> list[str]:
    with database.reading() as c:
        return sorted(c.execute(select(organizations.c.name)).scalars())


def test_committed_row_is_visible_to_the_next_reader(database: Database) -> None:
    with database.reading() as reader:
        with database.writing() as c:
            c.execute(insert(organizations).values(row("a")))
        with database.writing_once() as c:
            c.execute(insert(organizations).values(row("b")))
        assert len(reader.execute(select(organizations)).all()) == 2
    assert names(database) == ["a", "b"]


def test_error_rolls_back_the_whole_transaction(database: Database) -> None:
    def write_and_fail() -> None:
        with database.writing() as c:
            c.execute(insert(organizations).values(row("a")))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_and_fail()
    assert names(database) == []
    assert database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


def test_a_broken_rule_of_a_table_is_a_defect_and_not_an_absent_database(
    database: Database,
) -> None:
    for _ in range(2):
        with pytest.raises(IntegrityError), database.writing() as c:
            c.execute(insert(organizations).values([row("a"), row("a")]))
    of_nobody = {
        "id": new_id(),
        "organization_id": new_id(),
        "name": "key",
        "role": "owner",
        "token_hash": "hash",
        "created_at": utc_now(),
    }
    with pytest.raises(IntegrityError), database.writing() as c:
        c.execute(insert(access_keys).values(of_nobody))
    assert names(database) == []


def test_every_process_opens_its_own_connections(database: Database) -> None:
    first = database.engine
    assert database.engine is first
    database._owner += 1  # as it looks from a child of the process that made it
    second = database.engine
    assert second is not first
    assert names(database) == []
    first.dispose()


def test_a_closed_database_opens_again(database: Database) -> None:
    assert names(database) == []
    database.close()
    assert names(database) == []


@contextmanager
def _unavailable() -> Iterator[None]:
    with pytest.raises(ServiceUnavailable) as problem:
        yield
    assert problem.value.retry_after_seconds == 2


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///{nowhere}/borderpost.db",
        "postgresql+psycopg://postgres@/borderpost?host={nowhere}",
        "postgresql+psycopg://postgres@127.0.0.1:1/borderpost",
    ],
)
def test_a_database_that_is_not_there_is_unavailable(tmp_path: Path, url: str) -> None:
    database = Database(url.format(nowhere=tmp_path / "nowhere"))
    for lend in (database.reading, database.writing, database.writing_once):
        with _unavailable(), lend() as c:
            c.exec_driver_sql("SELECT 1")
    with _unavailable():
        current_revision(database)
    database.close()


def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "borderpost.db"
    path.write_bytes(b"this is no database" * 100)
    database = Database(f"sqlite:///{path}")
    for lend in (database.reading, database.writing):
        with _unavailable(), lend() as c:
            c.exec_driver_sql("SELECT 1")
    database.close()


def test_a_database_without_our_tables_is_unavailable(database: Database) -> None:
    with database.writing() as c:
        c.exec_driver_sql("ALTER TABLE opt_outs RENAME TO something_else")
    with _unavailable(), database.reading() as c:
        c.exec_driver_sql("SELECT * FROM opt_outs")


def test_exhausted_pool_raises_service_unavailable(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_WAIT_SECONDS", 0.01)
    database = Database(database_url, pool_size=1)
    with database.reading() as first:
        first.exec_driver_sql("SELECT 1")
        with _unavailable(), database.reading() as second:
            second.exec_driver_sql("SELECT 1")
    assert names(database) == []
    database.close()


def test_the_embedded_database_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'borderpost.db'}")
    upgrade(database)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert set(modes.values()) == {0o600}
    assert "borderpost.db" in modes
    database.close()


def test_the_embedded_database_is_as_careful_as_it_should_be(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    with database.reading() as c:
        found = {
            name: c.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,  # FULL
        "foreign_keys": 1,
        "busy_timeout": 2000,
    }
    database.close()


def test_concurrent_migrations_are_serialized(
    engine_name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if engine_name == "sqlite":
        url = f"sqlite:///{tmp_path / 'new.db'}"
    else:
        url = str(request.getfixturevalue("empty_postgres_url"))
    start, failures = Barrier(2), []

    def migrate() -> None:
        database = Database(url, pool_size=1)
        start.wait(PATIENCE_SECONDS)
        try:
            upgrade(database)
        except Exception as problem:  # noqa: BLE001 (reported by the assertion below)
            failures.append(problem)
        finally:
            database.close()

    threads = [Thread(target=migrate) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert failures == []
    database = Database(url, pool_size=1)
    assert current_revision(database) == latest_revision()
    database.close()


@pytest.mark.one_engine
def test_threads_that_open_a_new_file_together_take_turns(tmp_path: Path) -> None:
    """Break: let `_use_wal` try once; some of the 40 rounds then fail."""

    def open_file(database: Database) -> None:
        with database.reading() as connection:
            connection.exec_driver_sql("SELECT 1").close()

    for round_number in range(40):
        url = f"sqlite:///{tmp_path / f'{round_number}.db'}"
        databases = [Database(url, pool_size=1) for _ in range(6)]
        together([partial(open_file, database) for database in databases])
        for database in databases:
            database.close()
