"""`db copy`: moving to another database, with the proof that everything arrived."""

import json
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, update

from app.access.tables import organizations
from app.cli import copying
from app.db.copy import copy_rows
from app.db.engine import Database
from app.db.heartbeats import beat
from app.db.schema import current_revision, latest_revision
from app.db.stored_rows import stored_tables, take_fingerprints
from app.kernel.clock import utc_now
from app.kernel.errors import ServiceUnavailable
from app.kernel.ids import new_id
from support.commands import Run
from support.every_table import ROWS, fill
from support.tables import snapshot


@pytest.fixture
def is_migrated() -> bool:
    """Whether the target has its tables; without them, the copy has to run every migration."""
    return True


WITHOUT_TABLES = pytest.mark.parametrize("is_migrated", [False])


@pytest.fixture
def url(
    engine_name: str,
    is_migrated: bool,
    sqlite_template: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> str:
    """A database of the other engine, empty."""
    if engine_name == "sqlite":
        name = "fresh_postgres_url" if is_migrated else "empty_postgres_url"
        return str(request.getfixturevalue(name))
    path = tmp_path / "other.db"
    if is_migrated:
        shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def target(url: str) -> Iterator[Database]:
    """That database, seen by its new owner."""
    opened = Database(url, pool_size=4)
    yield opened
    opened.close()


@pytest.fixture
def copy(run: Run, database: Database, url: str) -> Run:
    """Copies a database with rows in every table."""
    fill(database)
    with database.writing() as c:
        c.exec_driver_sql("DELETE FROM worker_heartbeats")
    return lambda *more: run("db", "copy", "--to", url, *more)


def add_organization(database: Database, name: str) -> None:
    now = utc_now()
    row = {"id": new_id(), "name": name, "denied_destinations": []}
    with database.writing() as c:
        c.execute(insert(organizations).values(row | {"created_at": now, "updated_at": now}))


@WITHOUT_TABLES
def test_an_empty_database_gets_the_schema_and_every_row(
    copy: Run, database: Database, target: Database
) -> None:
    result = copy()
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert f"messages: {ROWS}" in lines
    # Each organization has got an audit row of the copy.
    assert lines[-1] == f"{ROWS * (len(stored_tables()) + 1)} rows, the same in both"
    assert current_revision(target) == latest_revision()
    assert snapshot(target) == snapshot(database)


def test_json_names_every_table_with_its_rows_and_checksum(copy: Run, database: Database) -> None:
    first, again = copy("--json"), copy("--json", "--verify-only")
    assert (first.exit_code, again.exit_code) == (0, 0)
    found = json.loads(first.stdout)
    assert json.loads(again.stdout) == found
    assert found["verified"] is True
    assert found["tables"] == [
        {"table": one.table, "rows": one.rows, "checksum": one.checksum}
        for one in take_fingerprints(database, lambda _: None)
    ]


def test_interrupted_copy_continues_when_run_again(
    copy: Run, database: Database, target: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copy_and_stop(source: Database, there: Database, note: Any) -> None:
        copy_rows(source, there, note)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(copying, "copy_rows", copy_and_stop)
        assert copy().exit_code == 1
    add_organization(database, "made since")
    assert copy().exit_code == 0
    assert snapshot(target) == snapshot(database)


def test_difference_is_reported_by_table_with_both_figures(
    copy: Run, database: Database, target: Database
) -> None:
    assert copy().exit_code == 0
    with target.writing() as c:
        c.execute(update(organizations).values(denied_destinations=["KP"]))
    ours, theirs = (
        next(f for f in take_fingerprints(one, lambda _: None) if f.table == "organizations")
        for one in (database, target)
    )
    for arguments in ([], ["--verify-only"], ["--json"]):
        result = copy(*arguments)
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr == (
            f"error: organizations: {ROWS} rows with checksum {ours.checksum} in the source, "
            f"{ROWS} with {theirs.checksum} in the target\n"
            "error: the two differ: was the gateway running? Stop it and copy again, "
            "into an empty database where the same rows still differ\n"
        )


def test_source_that_changes_during_the_copy_is_detected(
    copy: Run, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copy_beside_a_sender(source: Database, there: Database, note: Any) -> None:
        copy_rows(source, there, note)
        add_organization(source, "made meanwhile")

    with monkeypatch.context() as patch:
        patch.setattr(copying, "copy_rows", copy_beside_a_sender)
        result = copy()
    assert result.exit_code == 1
    assert "was the gateway running?" in result.stderr
    assert f"error: organizations: {ROWS + 1} rows" in result.stderr
    assert copy().exit_code == 0


def test_a_target_with_rows_of_its_own_is_refused_and_left_alone(
    copy: Run, target: Database
) -> None:
    add_organization(target, "another owner's")
    before = snapshot(target)
    result = copy()
    assert result.exit_code == 1
    assert result.stderr == (
        "error: organizations: the target holds rows that the source does not have: "
        "name an empty database, or the one of an earlier copy\n"
    )
    assert snapshot(target) == before


@WITHOUT_TABLES
def test_a_database_of_another_program_is_refused(copy: Run, target: Database) -> None:
    with target.writing() as c:
        c.exec_driver_sql("CREATE TABLE messages (id integer)")
    result = copy()
    assert (result.exit_code, result.stderr) == (
        1,
        "error: the target holds tables of another program: name an empty one\n",
    )


@pytest.mark.parametrize("of", ["configured database", "target"])
def test_running_worker_is_reported_before_the_copy(
    copy: Run, database: Database, target: Database, of: str
) -> None:
    alive = target if of == "target" else database
    with alive.writing() as c:
        beat(c, "host:1", utc_now() - timedelta(seconds=50))
    before = snapshot(target)
    result = copy()
    assert result.exit_code == 1
    assert result.stderr == (
        f"error: a worker is alive on the {of}: stop the gateway and the worker, "
        "wait a minute, and run this again\n"
    )
    assert snapshot(target) == before
    with alive.writing() as c:
        beat(c, "host:1", utc_now() - timedelta(seconds=61))
    assert copy().exit_code == 0


@WITHOUT_TABLES
def test_a_source_of_another_version_is_refused(
    copy: Run, database: Database, target: Database
) -> None:
    with database.writing() as c:
        c.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    result = copy()
    assert result.exit_code == 1
    assert result.stderr == (
        f"error: the configured database is at revision 0001 and this program needs "
        f"{latest_revision()}: run `borderpost db upgrade` on it\n"
    )
    assert current_revision(target) is None


@pytest.mark.parametrize("arguments", [(), ("--verify-only",)])
def test_a_target_of_another_version_is_refused(
    copy: Run, target: Database, arguments: tuple[str, ...]
) -> None:
    """Break: migrate a target that has tables: it may be another installation's, of 0.9.0."""
    for revision, remedy in (
        ("9999", "install the version of the program that upgraded it"),
        ("0034", "run `borderpost db upgrade` on it"),
    ):
        with target.writing() as c:
            c.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{revision}'")
        result = copy(*arguments)
        assert result.exit_code == 1
        assert result.stderr == (
            f"error: the target is at revision {revision} and this program needs "
            f"{latest_revision()}: {remedy}\n"
        )
        assert current_revision(target) == revision


@WITHOUT_TABLES
def test_comparing_creates_nothing_in_the_target(copy: Run, target: Database) -> None:
    result = copy("--verify-only")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: the target is at revision none")
    assert current_revision(target) is None


def test_the_database_itself_is_no_target(run: Run, database: Database, database_url: str) -> None:
    fill(database)
    same = database_url.replace("sqlite:///", "sqlite:////./").replace("host=", "host=//")
    for url in (database_url, same):
        result = run("db", "copy", "--to", url)
        assert (result.exit_code, result.stderr) == (
            1,
            "error: the target is the configured database itself\n",
        )


def test_one_server_may_hold_both(
    run: Run, fresh_postgres_url: str, empty_postgres_url: str, environ: dict[str, str | None]
) -> None:
    environ["BORDERPOST_DATABASE_URL"] = fresh_postgres_url
    source = Database(fresh_postgres_url, pool_size=1)
    add_organization(source, "Acme")
    source.close()
    assert run("db", "copy", "--to", empty_postgres_url).exit_code == 0


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("nonsense-hidden", "is not a database URL"),
        ("mysql://me:hidden@db/sms", "must start with one of sqlite, postgresql+psycopg"),
        ("postgresql://me:hidden@db:port/sms", "is not a database URL"),
        ("sqlite://", "SQLite needs a file"),
    ],
)
def test_a_wrong_url_is_wrong_usage_and_not_printed(run: Run, url: str, reason: str) -> None:
    result = run("db", "copy", "--to", url)
    assert (result.exit_code, result.stdout) == (64, "")
    assert f"Invalid value for '--to': {reason}" in result.stderr
    assert "hidden" not in result.output


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("sqlite:////no/such/folder/other.db", "unable to open database file"),
        ("postgresql://me:hidden@127.0.0.1:1/sms", "connection failed"),
        ("postgresql://me:hidden@127.0.0.1:1/sms?nonsense=hidden", "nonsense"),
    ],
)
def test_missing_target_is_reported_without_its_password(
    run: Run, database: Database, url: str, reason: str
) -> None:
    result = run("db", "copy", "--to", url)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: the target cannot be reached (")
    assert reason in result.stderr
    assert "hidden" not in result.output


def test_database_lost_during_the_copy_is_reported_with_a_remedy(
    copy: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(*_: object) -> None:
        raise ServiceUnavailable

    monkeypatch.setattr(copying, "copy_rows", lose)
    result = copy()
    assert (result.exit_code, result.stderr) == (
        1,
        "error: one of the two was lost in the middle: run this again, it goes on there\n",
    )
