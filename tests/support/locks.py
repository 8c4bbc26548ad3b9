"""A database that another connection keeps busy."""

from collections.abc import Iterator
from contextlib import contextmanager

from app.db.engine import Database


@contextmanager
def holding_messages(database: Database) -> Iterator[None]:
    """Nobody else can write messages meanwhile: not by any process."""
    other = Database(database.engine.url.render_as_string(hide_password=False), pool_size=1)
    try:
        with other.writing() as connection:  # on SQLite this is BEGIN IMMEDIATE
            if not other.is_sqlite:
                connection.exec_driver_sql("LOCK TABLE messages IN ACCESS EXCLUSIVE MODE")
            yield
    finally:
        other.close()
