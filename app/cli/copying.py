"""`db copy`: copy to another database and compare the two."""

from contextlib import closing
from dataclasses import asdict
from typing import Any

import click

from app.cli.context import opened_database, progress, record_command
from app.cli.group import Command, CommandFailure, echo_result, json_option
from app.database_url import read_database_url
from app.db.copy import (
    copy_rows,
    migrate_target,
    require_no_other_rows,
    require_reachable,
    require_revision,
    require_stopped,
    require_two,
)
from app.db.engine import Database
from app.db.stored_rows import Fingerprint, count_stored_rows, stored_tables, take_fingerprints
from app.kernel.clock import Clock, utc_now
from app.kernel.errors import ServiceUnavailable
from app.messages.retention.partitions import CreatePartitions


class DatabaseUrl(click.ParamType[str]):
    """A database URL, which is never printed: it contains a password."""

    name = "URL"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        try:
            return read_database_url(value)
        except ValueError as problem:
            self.fail(str(problem), param, ctx)


@click.command("copy", cls=Command)
@click.option("--to", "url", type=DatabaseUrl(), required=True, help="The database to copy into.")
@click.option("--verify-only", is_flag=True, help="Copy nothing, only compare the two.")
@json_option
def copy_command(url: str, verify_only: bool) -> None:
    """Copy the configured database into another one, and compare every row of the two.

    Stop the gateway and the worker first. The target must be empty, or contain the rows of an
    interrupted copy, which is then continued. The source only gets an audit event, which is
    copied too.
    """
    with closing(Database(url, pool_size=2)) as target, opened_database() as source:
        require_revision(source, "configured database")
        require_reachable(target)
        require_two(source, target)
        if verify_only:
            require_revision(target, "target")
        else:
            migrate_target(target)
            CreatePartitions(target, Clock())()
        for database, name in ((source, "configured database"), (target, "target")):
            require_stopped(database, name, utc_now())
        if not verify_only:
            _copy(source, target)
        found = _verified(source, target)
    lines = [f"{one.table}: {one.rows}" for one in found]
    lines.append(f"{sum(one.rows for one in found)} rows, the same in both")
    echo_result({"tables": [asdict(one) for one in found], "verified": True}, lines)


def _copy(source: Database, target: Database) -> None:
    require_no_other_rows(source, target)
    # Recorded before the copy, so that both databases have the row when they are compared.
    kind = "SQLite" if target.is_sqlite else "PostgreSQL"
    record_command(source, "database.copy_started", f"to {kind}")
    try:
        with progress("copying", _rows(source) - _rows(target)) as note:
            copy_rows(source, target, note)
    except ServiceUnavailable as problem:
        raise CommandFailure(
            "one of the two was lost in the middle: run this again, it goes on there"
        ) from problem


def _verified(source: Database, target: Database) -> list[Fingerprint]:
    with progress("comparing", _rows(source) + _rows(target)) as note:
        found = take_fingerprints(source, note)
        pairs = zip(found, take_fingerprints(target, note), strict=True)
    wrong = [_difference(ours, theirs) for ours, theirs in pairs if ours != theirs]
    if wrong:
        raise CommandFailure(
            *wrong,
            "the two differ: was the gateway running? Stop it and copy again, into an "
            "empty database where the same rows still differ",
        )
    return found


def _difference(ours: Fingerprint, theirs: Fingerprint) -> str:
    return (
        f"{ours.table}: {ours.rows} rows with checksum {ours.checksum} in the source, "
        f"{theirs.rows} with {theirs.checksum} in the target"
    )


def _rows(database: Database) -> int:
    with database.snapshot() as connection:
        return sum(count_stored_rows(connection, table) for table in stored_tables())
