"""An embedded database that does not wait for the disk, as the PostgreSQL of the tests."""

from typing import Any

from sqlalchemy import event

from app.db.engine import Database


def do_not_wait_for_the_disk(database: Database) -> None:
    """What is written is read by running processes alone, so none of it need survive them."""
    if database.is_sqlite:
        event.listen(database.engine, "connect", _prepare)


def _prepare(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA synchronous=OFF").close()
