"""PostgreSQL databases for tests: each is migrated and empty, and most are used many times.

A copy of the template costs half a second of the server's time, emptying a used database a few
milliseconds. What a test has altered, analyzed or filled is dropped instead.
"""

import uuid
from contextlib import suppress
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from app.db.engine import Database
from app.db.schema import upgrade
from app.kernel.clock import Clock
from app.messages.retention.partitions import CreatePartitions

_TEMPLATE = "template_borderpost"
_LARGEST_GROWTH = 8_000_000

# Everything that a statement other than INSERT, UPDATE or DELETE leaves behind; `xmin` changes when
# the row of a relation or a namespace is written, `reltuples` when it is analyzed.
_SHAPE = """
SELECT md5(
    coalesce((
        SELECT string_agg(concat_ws(' ', c.oid, c.xmin, c.relname, c.reltuples), ',' ORDER BY c.oid)
        FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace
    ), '')
    || (SELECT string_agg(concat_ws(' ', oid, xmin), ',' ORDER BY oid) FROM pg_namespace)
    || (SELECT count(*) FROM pg_proc)
    || (SELECT count(*) FROM pg_trigger)
    || (
        SELECT count(*) FROM pg_db_role_setting s
        JOIN pg_database d ON d.oid = s.setdatabase AND d.datname = current_database()
    )
), pg_database_size(current_database())
"""
_END_OTHERS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


def postgres_url(socket: str, name: str) -> str:
    return f"postgresql+psycopg://postgres@/{name}?host={socket}"


@dataclass
class PostgresDatabases:
    """The databases of one server: lent empty, taken back used."""

    socket: str
    _tables: list[str] = field(default_factory=list)
    _first_rows: dict[str, list[str]] = field(default_factory=dict)
    _shapes: dict[str, tuple[str, int]] = field(default_factory=dict)
    _idle: list[str] = field(default_factory=list)
    # The first statement about each table of a new connection costs more than the emptying.
    _kept: dict[str, psycopg.Connection] = field(default_factory=dict)

    def make_template(self) -> None:
        """Migrate the database that all others are copies of."""
        self._ask(f"CREATE DATABASE {_TEMPLATE}")
        database = Database(postgres_url(self.socket, _TEMPLATE), pool_size=1)
        upgrade(database)
        CreatePartitions(database, Clock())()
        database.close()
        with self._connect(_TEMPLATE) as connection:
            found = connection.execute(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
                " AND relkind IN ('r', 'p') AND NOT relispartition"
            )
            self._tables = [name for (name,) in found]
            for name in self._tables:
                rows = connection.execute(
                    sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(name))
                ).fetchall()
                if rows:
                    self._first_rows[name] = [text for (text,) in rows]

    def lend(self) -> str:
        """Return the name of a migrated, empty database."""
        if self._idle:
            return self._idle.pop()
        if not self._tables:
            self.make_template()
        name = f"test_{uuid.uuid4().hex}"
        self._ask(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE} STRATEGY WAL_LOG")
        self._kept[name] = self._connect(name)
        self._shapes[name] = _shape(self._kept[name])
        return name

    def take_back(self, name: str) -> None:
        """Empty a database for the next test, or drop it where that would not make it as new."""
        connection = self._kept[name]
        with suppress(psycopg.Error):  # it may not even take connections any more
            connection.execute(_END_OTHERS)
            if self._is_as_new(name, connection):
                self._empty(connection)
                self._idle.append(name)
                return
        self.drop(name)

    def make_empty(self) -> str:
        """Return the name of a database without any table."""
        name = f"test_{uuid.uuid4().hex}"
        self._ask(f"CREATE DATABASE {name}")
        return name

    def close(self) -> None:
        for connection in self._kept.values():
            connection.close()

    def drop(self, name: str) -> None:
        if name in self._kept:
            self._kept.pop(name).close()
        self._ask(f"DROP DATABASE {name} WITH (FORCE)")

    def _is_as_new(self, name: str, connection: psycopg.Connection) -> bool:
        shape, size = _shape(connection)
        shape_at_first, size_at_first = self._shapes[name]
        return shape == shape_at_first and size < size_at_first + _LARGEST_GROWTH

    def _empty(self, connection: psycopg.Connection) -> None:
        """Delete all rows but the first ones, in one round trip."""
        # No trigger fires in this role: neither foreign keys nor the program's own.
        statements: list[sql.Composable] = [
            sql.SQL("BEGIN"),
            sql.SQL("SET LOCAL session_replication_role = replica"),
        ]
        for name in self._tables:
            table = sql.Identifier(name)
            statements.append(sql.SQL("DELETE FROM {}").format(table))
            statements += [
                sql.SQL("INSERT INTO {0} SELECT ({1}::{0}).*").format(table, sql.Literal(row))
                for row in self._first_rows.get(name, ())
            ]
        connection.execute(sql.SQL("; ").join([*statements, sql.SQL("COMMIT")]))

    def _ask(self, statement: str) -> None:
        with self._connect("postgres") as connection:
            connection.execute(statement.encode())

    def _connect(self, name: str) -> psycopg.Connection:
        return psycopg.connect(host=self.socket, user="postgres", dbname=name, autocommit=True)


def _shape(connection: psycopg.Connection) -> tuple[str, int]:
    found = connection.execute(_SHAPE).fetchone()
    assert found is not None
    return found[0], found[1]
