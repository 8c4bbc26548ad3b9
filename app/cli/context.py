"""The settings and the database of a command."""

from collections.abc import Iterator
from contextlib import contextmanager

from app.bootstrap import migrate_if_new, open_database, open_settings
from app.cli.group import CommandFailure
from app.db.engine import Database
from app.db.schema import current_revision, latest_revision
from app.settings import Settings


@contextmanager
def opened_database(settings: Settings | None = None) -> Iterator[Database]:
    """Yield the database without checking its migrations, and close it."""
    database = open_database(settings or open_settings())
    try:
        yield database
    finally:
        database.close()


@contextmanager
def ready_database(settings: Settings | None = None) -> Iterator[Database]:
    """Yield the database; migrate a new SQLite file.

    Raises `CommandFailure` if migrations are missing, or of another version.
    """
    settings = settings or open_settings()
    with opened_database(settings) as database:
        migrate_if_new(settings, database)
        found, wanted = current_revision(database), latest_revision()
        if found != wanted:
            raise CommandFailure(
                f"the database is at revision {found or 'none'} and this program needs {wanted}: "
                "run `borderpost db upgrade`"
            )
        yield database
