"""Every row of one database arrives in another, once, whatever interrupts it."""

import gc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, select, update

from app.access.tables import organizations, provider_accounts, workspaces
from app.db import stored_rows
from app.db.copy import CopyRefused, copy_rows
from app.db.engine import Database
from app.db.heartbeats import worker_heartbeats
from app.db.schema import upgrade
from app.db.stored_rows import (
    Fingerprint,
    key_columns,
    last_key,
    read_keys,
    read_rows,
    stored_tables,
    take_fingerprints,
)
from app.db.types import metadata
from app.kernel.clock import utc_now
from app.kernel.ids import new_id
from app.messages.tables import message_events, messages
from support.disk import do_not_wait_for_the_disk
from support.every_table import ROWS, fill
from support.factories import ACCOUNT
from support.plans import statements_of
from support.tables import snapshot


@pytest.fixture
def target(engine_name: str, request: pytest.FixtureRequest) -> Iterator[Database]:
    """A migrated, empty database of the other engine than the source's."""
    url = "sqlite_url" if engine_name == "postgresql" else "fresh_postgres_url"
    opened = Database(request.getfixturevalue(url), pool_size=4)
    do_not_wait_for_the_disk(opened)
    yield opened
    opened.close()


def silent(_rows: int) -> None:
    """Nobody watches."""


def fingerprints(database: Database) -> list[Fingerprint]:
    return take_fingerprints(database, silent)


def data(database: Database) -> dict[str, list[str]]:
    found = snapshot(database)
    found.pop(worker_heartbeats.name)
    return found


def test_every_table_except_heartbeats_is_copied() -> None:
    assert {table.name for table in stored_tables()} == set(metadata.tables) - {
        worker_heartbeats.name
    }


def test_rows_of_every_table_arrive_as_they_are(database: Database, target: Database) -> None:
    fill(database)
    copy_rows(database, target, silent)
    assert data(target) == data(database)
    assert {len(rows) for rows in data(target).values()} == {ROWS}
    assert fingerprints(target) == fingerprints(database)
    assert {one.rows for one in fingerprints(target)} == {ROWS}


def test_rows_come_back_as_they_were(database: Database, target: Database, tmp_path: Path) -> None:
    fill(database)
    copy_rows(database, target, silent)
    back = Database(f"sqlite:///{tmp_path / 'back.db'}", pool_size=4)
    upgrade(back)
    copy_rows(target, back, silent)
    assert data(back) == data(database)
    assert fingerprints(back) == fingerprints(database)
    back.close()


def test_an_absent_json_value_stays_absent_and_a_null_stays_a_null(
    database: Database, target: Database
) -> None:
    fill(database)
    copy_rows(database, target, silent)
    absent = "SELECT count(*) FROM use_cases WHERE allowed_destinations IS NULL"
    null = "SELECT count(*) FROM use_cases WHERE CAST(allowed_destinations AS TEXT) = 'null'"
    for one in (database, target):
        with one.reading() as c:
            assert [c.exec_driver_sql(sql).scalar_one() for sql in (absent, null)] == [1, 1]


def test_a_second_run_adds_nothing(database: Database, target: Database) -> None:
    fill(database)
    copy_rows(database, target, silent)
    progress: list[int] = []
    copy_rows(database, target, progress.append)
    assert sum(progress) == 0
    assert data(target) == data(database)


class Killed(BaseException):
    """What a kill looks like from inside."""


def one_table_of_each_kind() -> set[str]:
    """One table for each kind of key: columns of the same types, referring to itself or not."""
    kinds = {}
    for table in stored_tables():
        columns = tuple(type(column.type) for column in key_columns(table))
        refers = any(key.column.table is table for key in table.foreign_keys)
        kinds[columns, refers] = table.name
    return set(kinds.values())


def test_killed_copy_continues_inside_its_batch(
    database: Database, target: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One run after the other is killed inside the second batch of a table.

    Break: in `app/db/copy.py`, `_copy_behind`, let `after` be None.
    """
    monkeypatch.setattr(stored_rows, "BATCH_ROWS", 2)
    fill(database)
    wanted = one_table_of_each_kind()
    killed_in: list[str] = []
    batches: Counter[str] = Counter()

    def kill(connection: Connection, _c: Any, statement: str, *_: Any) -> None:
        if not statement.startswith("INSERT INTO "):
            return
        table = statement.split()[2]
        batches[table] += 1
        if table in wanted - set(killed_in) and batches[table] == 2:
            killed_in.append(table)
            raise Killed

    event.listen(target.engine, "after_cursor_execute", kill)
    gc.collect()
    gc.freeze()  # what is there already would be gone over again after each kill
    wrong: dict[str, int] = {}
    for _table in wanted:
        with pytest.raises(Killed):
            copy_rows(database, target, silent)
        gc.collect()  # a cursor of the killed run would hold its lock
        with target.reading() as c:
            copied = c.exec_driver_sql(f"SELECT count(*) FROM {killed_in[-1]}").scalar_one()
        if not 0 < copied < ROWS:
            wrong[killed_in[-1]] = copied
    assert wrong == {}
    progress: list[int] = []
    copy_rows(database, target, progress.append)
    assert 0 < sum(progress) < ROWS * len(stored_tables())
    assert data(target) == data(database)


def test_a_tampered_row_is_found_by_the_checksum(database: Database, target: Database) -> None:
    fill(database)
    copy_rows(database, target, silent)
    with target.writing() as c:
        one = select(message_events.c.id).limit(1).scalar_subquery()
        c.execute(
            update(message_events).where(message_events.c.id == one).values(provider_status="x")
        )
    pairs = zip(fingerprints(database), fingerprints(target), strict=True)
    wrong = [(a.table, a.rows == b.rows) for a, b in pairs if a != b]
    assert wrong == [("message_events", True)]


def test_many_rows_go_in_batches(
    database: Database, target: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_rows, "BATCH_ROWS", 50)
    fill(database)
    with database.reading() as c:
        one = dict(c.execute(select(messages).limit(1)).one()._mapping)
    with database.writing() as c:
        c.execute(messages.insert(), [one | {"id": new_id()} for _ in range(125)])
    progress: list[int] = []
    copy_rows(database, target, progress.append)
    assert max(progress) == 50
    assert fingerprints(target) == fingerprints(database)
    assert next(f.rows for f in fingerprints(target) if f.table == "messages") == ROWS + 125


def test_texts_are_sorted_by_bytes_in_every_locale(fresh_postgres_url: str) -> None:
    """Where `b` came before `C`, going on behind the last key would leave out rows."""
    there = Database(fresh_postgres_url, pool_size=2)
    with statements_of(there) as statements, there.snapshot() as c:
        assert list(read_rows(c, provider_accounts, ("AC",))) == []
        assert list(read_keys(c, provider_accounts)) == []
        assert last_key(c, provider_accounts) is None
    asked = [sql for sql, _ in statements if "provider_accounts" in sql]
    assert len(asked) == 3
    assert all('ORDER BY provider_accounts.sid COLLATE "C"' in sql for sql in asked)
    assert '(provider_accounts.sid COLLATE "C") > ' in asked[0]
    there.close()


def test_unstorable_row_is_reported_without_its_values(
    sqlite_url: str, empty_postgres_url: str
) -> None:
    here, there = Database(sqlite_url, pool_size=4), Database(empty_postgres_url, pool_size=4)
    upgrade(there)
    long_sid = ACCOUNT + "+12025550123"
    with here.writing() as c:
        times = {"created_at": utc_now(), "updated_at": utc_now()}
        owner = {"id": new_id(), "name": "Acme", "denied_destinations": []}
        c.execute(organizations.insert().values(owner | times))
        account = {"sid": long_sid, "organization_id": owner["id"], "auth_token": "x"}
        c.execute(provider_accounts.insert().values(account | times))
    with pytest.raises(CopyRefused) as problem:
        copy_rows(here, there, silent)
    assert str(problem.value) == (
        "provider_accounts: the target refuses a row: value too long for type character varying(34)"
    )
    here.close()
    there.close()


def test_rows_in_a_circle_are_refused_instead_of_copied_for_ever(
    database: Database, target: Database
) -> None:
    fill(database)
    with database.writing() as c:
        ids = list(c.execute(select(workspaces.c.id).order_by(workspaces.c.id)).scalars())
        c.execute(
            update(workspaces).where(workspaces.c.parent_id.is_(None)).values(parent_id=ids[0])
        )
    with pytest.raises(CopyRefused, match="workspaces: 6 rows refer to each other in a circle"):
        copy_rows(database, target, silent)
