"""Every migration goes up, down and up again with rows, and both schemas keep what both can hold."""

import json
import re
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.db.engine import Database
from app.db.schema import downgrade, latest_revision, losses, upgrade
from app.db.types import sqlite_time
from app.kernel.clock import Clock
from app.messages.retention.partitions import CreatePartitions
from support.disk import do_not_wait_for_the_disk

REVISIONS = [f"{number:04}" for number in range(1, int(latest_revision()) + 1)]
RENAMED = {"turns": "leases", "frozen_at": "suspended_at", "frozen_reason": "suspended_reason"}
# The worker counts the last 31 days anew after 0022.
FORGOTTEN = {("0022", "message_counting")}
AT = datetime(2026, 1, 1, tzinfo=UTC)
# What a catalogue says of each table: columns, references, and the rest as texts. SQLAlchemy's
# reflection takes ten times as long.
_SQLITE_COLUMNS = """
SELECT m.name, p.name, p.type, p."notnull" || ' ' || p.pk || ' ' || coalesce(p.dflt_value, '')
FROM sqlite_master AS m, pragma_table_info(m.name) AS p WHERE m.type = 'table'
"""
_SQLITE_REFERENCES = """
SELECT m.name, f."from", f."table", f."to", f.on_delete
FROM sqlite_master AS m, pragma_foreign_key_list(m.name) AS f WHERE m.type = 'table'
"""
_SQLITE_MORE = """
SELECT tbl_name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL
UNION ALL
SELECT m.name, 'unique ' || (SELECT group_concat(i.name) FROM pragma_index_info(l.name) AS i)
FROM sqlite_master AS m, pragma_index_list(m.name) AS l WHERE m.type = 'table' AND l.origin = 'u'
"""
_POSTGRESQL = """
WITH c AS (
  SELECT oid, relname FROM pg_class
  WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
)
"""
_POSTGRESQL_COLUMNS = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
  a.attnotnull || coalesce(pg_get_expr(d.adbin, d.adrelid), '')
FROM c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
"""
_POSTGRESQL_REFERENCES = """
SELECT c.relname, a.attname, r.relname, b.attname, concat(k.conname, k.confdeltype)
FROM c JOIN pg_constraint AS k ON k.conrelid = c.oid AND k.contype = 'f'
JOIN pg_class AS r ON r.oid = k.confrelid
CROSS JOIN LATERAL unnest(k.conkey, k.confkey) AS pair (ours, theirs)
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = pair.ours
JOIN pg_attribute AS b ON b.attrelid = r.oid AND b.attnum = pair.theirs
"""
_POSTGRESQL_MORE = """
SELECT c.relname, k.conname || pg_get_constraintdef(k.oid)
FROM c JOIN pg_constraint AS k ON k.conrelid = c.oid AND k.contype IN ('p', 'u')
UNION ALL
SELECT c.relname, pg_get_indexdef(i.indexrelid) FROM c JOIN pg_index AS i ON i.indrelid = c.oid
"""
CATALOGUES = {
    True: (_SQLITE_COLUMNS, _SQLITE_REFERENCES, _SQLITE_MORE),
    False: tuple(
        _POSTGRESQL + one for one in (_POSTGRESQL_COLUMNS, _POSTGRESQL_REFERENCES, _POSTGRESQL_MORE)
    ),
}

Rows = dict[str, list[dict[str, str]]]


@dataclass
class Schema:
    """The tables of a database: types of columns, what each column refers to, and all as texts."""

    types: dict[str, dict[str, str]]
    references: dict[str, dict[str, tuple[str, str]]]
    texts: dict[str, set[str]]


@pytest.fixture
def empty(engine_name: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database without any table."""
    url = f"sqlite:///{tmp_path / 'old.db'}"
    if engine_name != "sqlite":
        url = request.getfixturevalue("empty_postgres_url")
    database = Database(url, pool_size=2)
    do_not_wait_for_the_disk(database)
    yield database
    database.close()


def test_every_migration_goes_up_down_and_up_with_rows(empty: Database) -> None:
    """Rows are written at each revision. Break: leave a column out of a `downgrade`."""
    numbers, lost, schemas = iter(range(10, 99_999)), [], {}
    before: Rows = {}
    for revision in REVISIONS:
        upgrade(empty, revision)
        schemas[revision] = _schema(empty)
        _fill(empty, schemas[revision], numbers)
        rows = _rows(empty, schemas[revision])
        lost += _lost(revision, before, rows)
        before = rows
    CreatePartitions(empty, Clock())()
    for revision in REVISIONS[-2::-1]:
        downgrade(empty, revision)
        schema = _schema(empty)
        rows = _rows(empty, schema)
        lost += _lost(f"back to {revision}", before, rows)
        assert schema == schemas[revision], revision
        before = rows
    # Not to the newest one, which may have come into the tree since these were listed.
    upgrade(empty, REVISIONS[-1])
    schema = _schema(empty)
    lost += _lost("up again", before, _rows(empty, schema))
    assert lost == []
    assert schema == schemas[REVISIONS[-1]]
    downgrade(empty, "base")
    assert set(_schema(empty).types) == {"alembic_version"}


def test_users_of_one_address_in_two_organizations_survive_a_downgrade(empty: Database) -> None:
    """The address was unique before. Break: leave the update out of `downgrade` in 0012."""
    upgrade(empty, "0012")
    schema, numbers = _schema(empty), iter(range(10, 999))
    for _ in range(2):
        _fill(empty, schema, numbers)
    with empty.writing() as c:
        c.exec_driver_sql("UPDATE users SET email = 'a@example.com'")
    downgrade(empty, "0011")
    with empty.reading() as c:
        users = c.exec_driver_sql("SELECT id, email FROM users ORDER BY id").all()
    assert [email for _, email in users] == ["a@example.com", str(users[1][0])]


def test_losses_name_what_a_downgrade_drops() -> None:
    found = losses("0026", "0020")
    assert [line[:6] for line in found] == ["0022: ", "0021: "]
    assert "access keys" in found[1]
    for wrong in ("0026", "0027", "9999", "base"):
        with pytest.raises(LookupError):
            losses("0026", wrong)


def _schema(database: Database) -> Schema:
    columns, references, more = CATALOGUES[database.is_sqlite]
    found = Schema({}, {}, {})
    with database.reading() as connection:
        for table, name, kind, facts in connection.exec_driver_sql(columns):
            found.types.setdefault(table, {})[name] = kind.lower()
            found.texts.setdefault(table, set()).add(f"{name} {kind} {facts}")
        for table, name, other, referred, facts in connection.exec_driver_sql(references):
            found.references.setdefault(table, {})[name] = other, referred
            found.texts[table].add(f"{name} refers to {other}.{referred} {facts}")
        for table, text in connection.exec_driver_sql(more):
            found.texts[table].add(re.sub(r'["\s]+', " ", text.lower()))
    return found


def _rows(database: Database, schema: Schema) -> Rows:
    found: Rows = {}
    with database.reading() as connection:
        for table, columns in schema.types.items():
            if table == "alembic_version":
                continue
            selected = connection.exec_driver_sql(f"SELECT {', '.join(columns)} FROM {table}")
            names = [RENAMED.get(name, name) for name in columns]
            found[RENAMED.get(table, table)] = [
                dict(zip(names, map(repr, row), strict=True)) for row in selected
            ]
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


def _fill(database: Database, schema: Schema, numbers: Iterator[int]) -> None:
    """Write one row into each table; rows that are written together refer to each other."""
    written: dict[str, dict[str, str | None]] = {}
    waiting = [table for table in sorted(schema.types) if table != "alembic_version"]
    with database.writing() as connection:
        while waiting:
            table = next(one for one in waiting if _can_be_filled(one, schema, written))
            waiting.remove(table)
            row = _row(table, schema, written, next(numbers), is_sqlite=database.is_sqlite)
            values = ", ".join("NULL" if text is None else f"'{text}'" for text in row.values())
            connection.exec_driver_sql(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({values})")
            written[table] = row


def _can_be_filled(table: str, schema: Schema, written: dict[str, Any]) -> bool:
    others = {other for other, _ in schema.references.get(table, {}).values()} - {table}
    if "account_sid" in schema.types[table]:
        others.add("provider_accounts")
    return others <= written.keys()


def _row(
    table: str,
    schema: Schema,
    written: dict[str, dict[str, str | None]],
    number: int,
    *,
    is_sqlite: bool,
) -> dict[str, str | None]:
    row: dict[str, str | None] = {}
    for name, kind in schema.types[table].items():
        other, referred = schema.references.get(table, {}).get(name, (None, ""))
        if other == table:
            row[name] = None
        elif other is not None:
            row[name] = written[other][referred]
        elif name == "account_sid":
            row[name] = written["provider_accounts"]["sid"]
        else:
            row[name] = _value(kind, number, is_sqlite=is_sqlite)
    return row


def _value(kind: str, number: int, *, is_sqlite: bool) -> str:
    """Return a value of a type of either engine as a text, which both bring into the type."""
    length = int(next(iter(re.findall(r"\((\d+)\)", kind)), "9"))
    at = AT + timedelta(milliseconds=number)
    if is_sqlite and kind == f"varchar({len(sqlite_time(at))})":
        return sqlite_time(at)
    values = {
        "uuid": uuid.UUID(int=number).hex,
        "char": uuid.UUID(int=number).hex,
        "timestamp with time zone": at.isoformat(),
        "json": json.dumps({"US": "allowed", "number": number}),
        "boolean": str(number % 2),
        "date": date.fromordinal(730_000 + number).isoformat(),
        "bigint[]": f"{{{number}}}",
        "integer": str(number),
        "bigint": str(number),
    }
    text = str(number)[-length:]
    values |= {"varchar": text, "character varying": text, "text": text}
    return values[kind.partition("(")[0]]
