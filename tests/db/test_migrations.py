"""Every migration goes up, down and up again with rows, and both schemas keep what both can hold."""

import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    ARRAY,
    CHAR,
    JSON,
    VARCHAR,
    Boolean,
    Date,
    DateTime,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Uuid,
    event,
    insert,
    text,
)
from sqlalchemy.schema import ForeignKeyConstraint, PrimaryKeyConstraint, UniqueConstraint

from app.db.engine import Database
from app.db.schema import downgrade, latest_revision, losses, upgrade
from app.db.types import UtcDateTime
from app.kernel.clock import Clock
from app.messages.retention.partitions import CreatePartitions

REVISIONS = [f"{number:04}" for number in range(1, int(latest_revision()) + 1)]
PARTITIONS = text("SELECT relname FROM pg_inherits JOIN pg_class ON oid = inhrelid")
RENAMED = {"turns": "leases", "frozen_at": "suspended_at", "frozen_reason": "suspended_reason"}
# The worker counts the last 31 days anew after 0022.
FORGOTTEN = {("0022", "message_counting")}
_FIRST = {"organizations", "provider_accounts"}
AT = datetime(2026, 1, 1, tzinfo=UTC)

Rows = dict[str, list[dict[str, str]]]


@pytest.fixture
def empty(engine_name: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database without any table."""
    url = f"sqlite:///{tmp_path / 'old.db'}"
    if engine_name != "sqlite":
        url = request.getfixturevalue("empty_postgres_url")
    database = Database(url, pool_size=2)
    yield database
    database.close()


def test_every_migration_goes_up_down_and_up_with_rows(empty: Database) -> None:
    """Rows are written at each revision. Break: leave a column out of a `downgrade`."""
    numbers, lost, shapes = iter(range(10, 99_999)), [], {}
    before: Rows = {}
    for revision in REVISIONS:
        upgrade(empty, revision)
        tables = _reflected(empty)
        lost += _lost(revision, before, _rows(empty, tables))
        shapes[revision] = _shape(tables)
        _fill(empty, tables, numbers)
        before = _rows(empty, tables)
    CreatePartitions(empty, Clock())()
    for revision in REVISIONS[-2::-1]:
        downgrade(empty, revision)
        tables = _reflected(empty)
        rows = _rows(empty, tables)
        lost += _lost(f"back to {revision}", before, rows)
        assert _shape(tables) == shapes[revision], revision
        before = rows
    upgrade(empty)
    tables = _reflected(empty)
    lost += _lost("up again", before, _rows(empty, tables))
    assert lost == []
    assert _shape(tables) == shapes[REVISIONS[-1]]
    downgrade(empty, "base")
    assert set(_reflected(empty).tables) == {"alembic_version"}


def test_users_of_one_address_in_two_organizations_survive_a_downgrade(empty: Database) -> None:
    """The address was unique before. Break: leave the update out of `downgrade` in 0012."""
    upgrade(empty, "0012")
    tables = _reflected(empty).tables
    with empty.writing() as c:
        for number in (1, 2):
            organization = uuid.UUID(int=number)
            values = {"created_at": AT, "updated_at": AT, "name": str(number)}
            c.execute(
                insert(tables["organizations"]).values(
                    id=organization, denied_destinations=[], **values
                )
            )
            user = {"id": uuid.UUID(int=number + 10), "organization_id": organization}
            c.execute(insert(tables["users"]).values(email="a@example.com", **user, **values))
    downgrade(empty, "0011")
    with empty.reading() as c:
        emails = c.exec_driver_sql("SELECT email FROM users ORDER BY id").scalars().all()
    assert [emails[0], uuid.UUID(emails[1])] == ["a@example.com", uuid.UUID(int=12)]


def test_losses_name_what_a_downgrade_drops() -> None:
    found = losses("0026", "0020")
    assert [line[:6] for line in found] == ["0022: ", "0021: "]
    assert "access keys" in found[1]
    for wrong in ("0026", "0027", "9999", "base"):
        with pytest.raises(LookupError):
            losses("0026", wrong)


def _reflected(database: Database) -> MetaData:
    """Return the tables as they are, without partitions."""
    metadata, is_sqlite = MetaData(), database.is_sqlite

    @event.listens_for(metadata, "column_reflect")
    def _(_inspector: object, _table: object, column: Any) -> None:
        is_text_of_a_time = isinstance(column["type"], VARCHAR) and column["type"].length == 24
        if isinstance(column["type"], DateTime) or (is_sqlite and is_text_of_a_time):
            column["type"] = UtcDateTime()
        elif isinstance(column["type"], CHAR):
            column["type"] = Uuid()

    with database.reading() as connection:
        partitions: set[str] = set()
        if not is_sqlite:
            partitions = set(connection.execute(PARTITIONS).scalars())
        metadata.reflect(connection, only=lambda name, _: name not in partitions)
    return metadata


def _shape(tables: MetaData) -> dict[str, set[str]]:
    return {
        table.name: {
            *(f"{c.name} {c.type!r} {c.nullable} {_default(c)}" for c in table.columns),
            *(_named(one) for one in table.constraints),
            *(
                f"{one.name} {[c.name for c in one.columns]} {one.unique} {_where(one)}"
                for one in table.indexes
            ),
        }
        for table in tables.tables.values()
    }


def _default(column: Any) -> str:
    return "" if column.server_default is None else str(column.server_default.arg)


def _where(index: Index) -> list[str]:
    return sorted(f"{name}={value}" for name, value in index.dialect_kwargs.items())


def _named(constraint: Any) -> str:
    assert isinstance(constraint, ForeignKeyConstraint | PrimaryKeyConstraint | UniqueConstraint)
    names = sorted(column.name for column in constraint.columns)
    if isinstance(constraint, ForeignKeyConstraint):
        names += [key.target_fullname for key in constraint.elements] + [str(constraint.ondelete)]
    return f"{constraint.name} {names}"


def _rows(database: Database, tables: MetaData) -> Rows:
    found: Rows = {}
    with database.reading() as connection:
        for table in tables.tables.values():
            names = [column.name for column in table.columns]
            selected = connection.exec_driver_sql(f"SELECT {', '.join(names)} FROM {table.name}")
            found[RENAMED.get(table.name, table.name)] = [
                {RENAMED.get(n, n): repr(v) for n, v in zip(names, row, strict=True)}
                for row in selected
            ]
    del found["alembic_version"]
    return found


def _lost(step: str, before: Rows, after: Rows) -> Iterator[str]:
    """Name the tables whose rows lack a value in the columns that are there before and after."""
    for table in before.keys() & after.keys():
        if not before[table] or (step, table) in FORGOTTEN:
            continue
        if not after[table]:
            yield f"{step}: {table} is empty"
            continue
        names = sorted(before[table][0].keys() & after[table][0].keys())
        kept = Counter(tuple(row[name] for name in names) for row in after[table])
        gone = Counter(tuple(row[name] for name in names) for row in before[table]) - kept
        if gone:
            yield f"{step}: {table} {names}: {next(iter(gone))}"


def _fill(database: Database, tables: MetaData, numbers: Iterator[int]) -> None:
    """Write one row into each table; rows that are written together refer to each other."""
    written: dict[str, dict[str, Any]] = {}
    with database.writing() as connection:
        for table in sorted(tables.sorted_tables, key=lambda one: one.name not in _FIRST):
            if table.name == "alembic_version":
                continue
            row = _row(table, written, next(numbers))
            connection.execute(insert(table).values(row))
            written[table.name] = row


def _row(table: Table, written: dict[str, dict[str, Any]], number: int) -> dict[str, Any]:
    row = {column.name: _value(column, number) for column in table.columns}
    for key in table.foreign_keys:
        referred = key.column
        if referred.table is table:
            row[key.parent.name] = None
        else:
            row[key.parent.name] = written[referred.table.name][referred.name]
    if "account_sid" in row and "provider_accounts" in written:
        row["account_sid"] = written["provider_accounts"]["sid"]
    return row


def _value(column: Any, number: int) -> Any:
    for kind, make in _MAKERS:
        if isinstance(column.type, kind):
            return make(number)
    if isinstance(column.type, String):
        return str(number)[-(column.type.length or 9) :]
    raise TypeError(f"{column}: say here how to make a value of {column.type!r}")


_MAKERS: tuple[tuple[Any, Callable[[int], Any]], ...] = (
    (Uuid, lambda number: uuid.UUID(int=number)),
    (UtcDateTime, lambda number: AT + timedelta(milliseconds=number)),
    (Boolean, lambda number: number % 2 == 0),
    (JSON, lambda number: {"US": "allowed", "number": number}),
    (ARRAY, lambda number: [number]),
    (Date, lambda number: date.fromordinal(730_000 + number)),
    (Integer, lambda number: number),
)
