"""Migrations bring both engines to the schema that the code declares."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

import app.access.tables
import app.db.heartbeats
import app.destinations.tables
import app.messages.tables
import app.use_cases.tables  # noqa: F401
from app.db.engine import Database
from app.db.metadata import metadata
from app.db.schema import current_revision, latest_revision, upgrade


def test_the_migrations_make_exactly_the_declared_tables(database: Database) -> None:
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_a_second_upgrade_changes_nothing(database: Database) -> None:
    assert current_revision(database) == latest_revision()
    upgrade(database)
    assert current_revision(database) == latest_revision()
