"""Migrations bring both engines to the schema that the code declares."""

import uuid
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError

import app.access.tables
import app.db.heartbeats
import app.db.leases
import app.destinations.tables
import app.guards.tables
import app.messages.charges
import app.messages.tables
import app.prices.store
import app.use_cases.tables
import app.users.tables
import app.webhooks.tables
from app.access.tables import audit_events, provider_accounts, workspaces
from app.db.engine import Database
from app.db.schema import current_revision, latest_revision, upgrade
from app.db.types import metadata
from app.kernel.errors import ServiceUnavailable

MIGRATIONS = Path(app.db.heartbeats.__file__).parent / "migrations"
# What holds the rows of a declared table is no table of its own.
PARTITIONS = text(
    "SELECT relname FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE relkind = 'r'"
)


def test_the_migrations_make_exactly_the_declared_tables(database: Database) -> None:
    with database.reading() as connection:
        partitions = set()
        if connection.dialect.name == "postgresql":
            partitions = set(connection.execute(PARTITIONS).scalars())
        opts = {
            "compare_type": True,
            "include_name": lambda name, kind, _: kind != "table" or name not in partitions,
        }
        context = MigrationContext.configure(connection, opts=opts)
        assert compare_metadata(context, metadata) == []


def test_declared_tables_are_partitioned_on_postgresql(fresh_postgres_url: str) -> None:
    database = Database(fresh_postgres_url, pool_size=1)
    with database.reading() as c:
        found = c.exec_driver_sql(
            "SELECT relname, pg_get_partkeydef(oid) FROM pg_class WHERE relkind = 'p'"
        )
        partitioned = {row[0]: row[1] for row in found}
    database.close()
    declared = {
        table.name: table.dialect_options["postgresql"]["partition_by"]
        for table in metadata.sorted_tables
    }
    assert partitioned == {name: by for name, by in declared.items() if by}


def test_a_second_upgrade_changes_nothing(database: Database) -> None:
    assert current_revision(database) == latest_revision()
    upgrade(database)
    assert current_revision(database) == latest_revision()


def test_an_account_goes_to_one_organization_and_an_unused_one_is_deleted(
    engine_name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The organization that last wrote the tokens keeps a shared account; the others lose it."""
    if engine_name == "sqlite":
        url = f"sqlite:///{tmp_path / 'old.db'}"
    else:
        url = request.getfixturevalue("empty_postgres_url")
    database = Database(url, pool_size=2)
    upgrade(database, "0010")
    now = "2026-01-01T00:00:00.000Z"
    ids = [uuid.UUID(int=number) for number in range(1, 6)]
    acme, other, first, second, audit = (
        one.hex if engine_name == "sqlite" else str(one) for one in ids
    )
    shared, alone, unused = ("AC" + letter * 32 for letter in "abc")
    rows = [
        *(
            f"organizations (id, name, denied_destinations, created_at, updated_at) "
            f"VALUES ('{one}', '{one}', '[]', '{now}', '{now}')"
            for one in (acme, other)
        ),
        *(
            f"provider_accounts (sid, auth_token, created_at, updated_at) "
            f"VALUES ('{sid}', 'sealed', '{now}', '{now}')"
            for sid in (shared, alone, unused)
        ),
        f"provider_checks (account_sid, checked_at) VALUES ('{unused}', '{now}')",
        *(
            "workspaces (id, organization_id, name, home_country, inherits_destinations, "
            "account_sid, body_retention_days, number_retention_days, created_at, updated_at) "
            f"VALUES ('{one}', '{owner}', '{name}', 'US', false, '{sid}', 7, 90, '{now}', '{now}')"
            for one, owner, name, sid in (
                (first, other, "first", shared),
                (second, acme, "second", shared),
                (audit, other, "third", alone),
            )
        ),
        (
            "audit_events (id, organization_id, at, actor_kind, actor_name, action, target) "
            f"VALUES ('{audit}', '{acme}', '{now}', 'provisioning', 'apply', "
            f"'provider_account.changed', '{shared}')"
        ),
    ]
    with database.writing() as c:
        for row in rows:
            c.exec_driver_sql(f"INSERT INTO {row}")
    upgrade(database)
    with database.reading() as c:
        owners = dict(
            c.execute(select(provider_accounts.c.sid, provider_accounts.c.organization_id)).all()
        )
        linked = dict(c.execute(select(workspaces.c.name, workspaces.c.account_sid)).all())
        audited = c.execute(select(audit_events.c.workspace_id, audit_events.c.action)).all()
    database.close()
    assert owners == {shared: ids[0], alone: ids[1]}
    assert linked == {"first": None, "second": shared, "third": alone}
    assert (ids[2], "workspace.changed") in audited


def test_the_latest_revision_is_the_head_of_the_migrations() -> None:
    """The files are named by their revisions. Break: give a file another number."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    scripts = ScriptDirectory.from_config(config)
    assert latest_revision() == scripts.get_current_head()
    files = sorted(path.name.partition("_")[0] for path in MIGRATIONS.glob("versions/[0-9]*.py"))
    assert files == sorted(script.revision for script in scripts.walk_revisions())


def test_an_upgrade_that_a_deadlock_ended_is_tried_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Break: raise after the first try."""
    real, tries = command.upgrade, []

    class Deadlock(Exception):
        sqlstate = "40P01"

    def ended_once(config: Config, revision: str) -> None:
        tries.append(revision)
        real(config, revision)
        if len(tries) == 1:
            raise OperationalError("ALTER TABLE", None, Deadlock())

    monkeypatch.setattr(command, "upgrade", ended_once)
    assert upgrade(database) == []
    assert tries == ["head", "head"]
    monkeypatch.setattr("app.db.schema._TRIES", 1)
    tries.clear()
    with pytest.raises(ServiceUnavailable):
        upgrade(database)
