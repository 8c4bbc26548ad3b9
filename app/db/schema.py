"""The schema of the database: migrations, and the current revision."""

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from app.db.clock import require_same_time
from app.db.engine import Database

_MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(database: Database, revision: str = "head") -> list[str]:
    """Run every migration that is missing; two processes that try at once take turns.

    Return what the migrations report to the operator, without whole phone numbers.

    Raises:
        ClocksDiffer: the clocks of this host and of the database differ too much.
        ServiceUnavailable: the database cannot be reached.
    """
    require_same_time(database)
    config, report = _config(), list[str]()
    config.attributes["report"] = report
    with database.migrating() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    return report


@cache
def latest_revision() -> str:
    """Return the revision that this program was written for."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise RuntimeError("the program ships no migrations")
    return head


def current_revision(database: Database) -> str | None:
    """Return the revision that the database is at; None before the first migration.

    Raises:
        ServiceUnavailable: the database cannot be reached.
    """
    with database.reading() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    return config
