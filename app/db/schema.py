"""The schema of the database: migrations, and the current revision."""

from functools import cache
from pathlib import Path

from sqlalchemy import inspect, text

from app.db.clock import require_same_time
from app.db.engine import Database

_MIGRATIONS = Path(__file__).parent / "migrations"
_VERSIONS = _MIGRATIONS / "versions"


def upgrade(database: Database, revision: str = "head") -> list[str]:
    """Run the missing migrations; processes that try at once take turns.

    Return the migrations' reports to the operator, without whole phone numbers. Raises
    `ClocksDiffer`.
    """
    from alembic import command  # noqa: PLC0415  # 8 MiB, which a web process has no use for
    from alembic.config import Config  # noqa: PLC0415

    require_same_time(database)
    config, report = Config(), list[str]()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["report"] = report
    with database.migrating() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    return report


@cache
def latest_revision() -> str:
    """Return the revision that this program was written for."""
    numbers = sorted(path.name.partition("_")[0] for path in _VERSIONS.glob("[0-9]*.py"))
    if not numbers:
        raise RuntimeError("the program ships no migrations")
    return numbers[-1]


def current_revision(database: Database) -> str | None:
    """Return the revision of the database; None before the first migration."""
    with database.reading() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found = connection.execute(text("SELECT version_num FROM alembic_version"))
        return found.scalar_one_or_none()
