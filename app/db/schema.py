"""The schema of the database: migrations, and the current revision."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from app.db.clock import require_same_time
from app.db.engine import Database
from app.db.unavailable import is_deadlock
from app.kernel.errors import ServiceUnavailable

if TYPE_CHECKING:
    from alembic.config import Config

_MIGRATIONS = Path(__file__).parent / "migrations"
_VERSIONS = _MIGRATIONS / "versions"
_TRIES = 5


class UnknownRevision(Exception):
    def __init__(self, revision: str | None) -> None:
        super().__init__(
            f"the database is at revision {revision}, which this program does not know: "
            "was it upgraded by a newer version?"
        )


def remedy_for(found: str | None) -> str:
    """Say what to do about a database at another revision than the latest."""
    if found is not None and found > latest_revision():
        return "install the version of the program that upgraded it"
    return "run `borderpost db upgrade`"


def upgrade(database: Database, revision: str = "head") -> list[str]:
    """Run the missing migrations, serialized between processes.

    Return their reports, without whole phone numbers. Raises `ClocksDiffer` or `UnknownRevision`.
    """
    require_same_time(database)
    tries = 0
    while True:
        try:
            return _upgrade_once(database, revision)
        except ServiceUnavailable as problem:
            # Statements of a gateway may wait for a table of the migration, and it for theirs.
            tries += 1
            if tries == _TRIES or not is_deadlock(problem.__cause__):
                raise


def _upgrade_once(database: Database, revision: str) -> list[str]:
    # 8 MiB and a tenth of a second, for which no other command and no worker has a use.
    from alembic import command  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config, report = _config(), list[str]()
    config.attributes["report"] = report
    with database.migrating() as connection:
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, revision)
        except CommandError as problem:
            raise UnknownRevision(_revision_in(connection)) from problem
    return report


def downgrade(database: Database, revision: str) -> None:
    """All programs must be stopped."""
    from alembic import command  # noqa: PLC0415

    config = _config()
    with database.migrating() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, revision)


def losses(current: str, revision: str) -> list[str]:
    """Return the data that a downgrade loses, by migration, newest first.

    Raises `LookupError` if ``to`` is not an older revision.
    """
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    scripts = list(ScriptDirectory.from_config(_config()).walk_revisions())
    if revision not in {one.revision for one in scripts if one.revision < current}:
        raise LookupError(revision)
    notes = (
        (one.revision, one.module.downgrade.__doc__)
        for one in scripts
        if revision < one.revision <= current
    )
    return [f"{number}: {' '.join(note.split())}" for number, note in notes if note]


def _config() -> "Config":
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    return config


@cache
def latest_revision() -> str:
    numbers = sorted(path.name.partition("_")[0] for path in _VERSIONS.glob("[0-9]*.py"))
    if not numbers:
        raise RuntimeError("the program ships no migrations")
    return numbers[-1]


def current_revision(database: Database) -> str | None:
    """Return None before the first migration."""
    with database.reading() as connection:
        return _revision_in(connection)


def _revision_in(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
