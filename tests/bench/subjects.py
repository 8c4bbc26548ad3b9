"""What is measured: the gateway, and what it is measured beside, each over its own database."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode
from uuid import UUID

from cryptography.fernet import Fernet
from sqlalchemy import insert

from app.access.principal import Actor, ActorKind, Role
from app.db.encryption import Cipher
from app.db.engine import Database
from app.db.schema import upgrade
from app.destinations.manage import ChangeRequest
from app.guards.configuration import parse_guards
from app.guards.limits import GuardConfiguration
from app.guards.manage import change_guards
from app.kernel.clock import utc_now
from app.kernel.errors import Problems
from app.kernel.ids import new_id
from app.messages.history import GuardHistory
from app.messages.tables import messages
from app.prices.price_file import PriceFile
from app.prices.price_table import PriceRow
from app.prices.store import import_prices
from app.providers.twilio.signature import sign
from bench.apps.store import connect, is_postgres, make_tables
from bench.load import write_requests
from support.factories import ACCOUNT, AUTH_TOKEN, SERVICE_SID, Factory, Tenant
from support.own_postgres import own_postgres
from support.polling import PATIENCE_SECONDS, eventually
from support.ports import free_ports
from support.processes import Process, running, running_gateway

PUBLIC_URL = "https://sms.example.com"
STATUS_PATH = "/v1/webhook/twilio/sms-status"
BESIDE = ("--config", "tests/bench/apps/gunicorn_beside.py", "--pythonpath", "tests")
BLOCKED = "+5511961234567"


@dataclass(frozen=True, slots=True)
class Subject:
    """One application under load."""

    name: str
    wsgi: str
    worker: str = "gthread"
    guarded: bool = False

    @property
    def is_gateway(self) -> bool:
        return self.wsgi == "wsgi:app"


GATEWAY = Subject("this gateway", "wsgi:app")
UNGUARDED = Subject("guards off", "wsgi:app")
GUARDED = Subject("all guards watching", "wsgi:app", guarded=True)
FLOOR = Subject("floor", "bench.apps.floor:app")
FLOOR_HERE = Subject(
    "floor under our worker", "bench.apps.floor:app", "app.web.server.worker.BufferingWorker"
)
PLAIN = Subject("plain way", "bench.apps.plain:app")
BARE_SDK = Subject("bare SDK", "bench.apps.bare_sdk:app")


@dataclass
class Ground:
    """An engine with the two databases, and a tenant in the gateway's."""

    folder: Path
    database: Database
    beside_url: str
    tenant: Tenant
    key: str
    server: int | None  # the process whose children are PostgreSQL's backends
    guarded: Tenant | None = None

    def tenant_of(self, subject: Subject) -> Tenant:
        """The tenant whose sends a subject makes; the guarded one is made when first asked for."""
        if not subject.guarded:
            return self.tenant
        if self.guarded is None:
            self.guarded = _guarded_tenant(self.database, self.key)
        return self.guarded

    @property
    def gateway_url(self) -> str:
        return self.database.engine.url.render_as_string(hide_password=False)


@contextmanager
def ground(engine: str, folder: Path) -> Iterator[Ground]:
    """Make an engine's databases."""
    if engine == "SQLite":
        yield from _ground(folder, *(f"sqlite:///{folder / n}.db" for n in ("ours", "beside")))
        return
    with own_postgres() as server:
        database = Database(server.url, pool_size=1)
        for name in ("ours", "beside"):
            with connect(server.url) as connection:
                connection.execute(f"CREATE DATABASE {name}")
        database.close()
        urls = (server.url.replace("/postgres?", f"/{name}?") for name in ("ours", "beside"))
        yield from _ground(folder, *urls, server=server.pid)


def _ground(folder: Path, url: str, beside_url: str, server: int | None = None) -> Iterator[Ground]:
    database = Database(url, pool_size=2)
    upgrade(database)
    make_tables(beside_url)
    key = Fernet.generate_key().decode()
    factory = Factory(database, Cipher([key]))
    tenant = factory.tenant(factory.organization())
    yield Ground(folder, database, beside_url, tenant, key, server)
    database.close()


def _guarded_tenant(database: Database, key: str) -> Tenant:
    """Make a tenant all of whose guards count each send, with limits that no run meets."""
    factory = Factory(database, Cipher([key]))
    now = factory.now
    row = PriceRow("US", "", "0.0001", "USD", now.date())
    tenant = factory.tenant(
        factory.organization("Guarded"), account_sid=f"AC{'b' * 32}", guarded=True
    )
    most = {"mode": "enforce", "hour": 10**9, "day": 10**9}
    wanted = {
        "number": most,
        "prefix": most,
        "country": {"mode": "enforce", "countries": {"US": {"hour": 10**9, "day": 10**9}}},
        "workspace": {"mode": "enforce", "minute": 10**9, "day": 10**9},
        "spend": {"mode": "enforce", "day": "900000000", "month": "900000000"},
        "delivery": {"mode": "enforce"},
    }
    problems = Problems()
    guards = GuardConfiguration(parse_guards(wanted, "$.guards", problems))
    problems.refuse()
    asked = ChangeRequest(Actor(ActorKind.SYSTEM, "bench"))
    with database.writing() as connection:
        import_prices(connection, PriceFile(((2, row),), ()), now)
        change_guards(
            connection,
            tenant.workspace_id,
            lambda *_: guards,
            asked,
            history=GuardHistory(),
            now=now,
        )
    return tenant


@contextmanager
def fake_twilio(milliseconds: float) -> Iterator[str]:
    """Run a Twilio that answers after a time."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "bench.twilio", str(port), str(milliseconds)]
    process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": "tests"})
    try:
        _wait_for(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


@contextmanager
def served(
    subject: Subject, place: Ground, twilio_url: str, processes: int, threads: int
) -> Iterator[tuple[Process, int]]:
    """Serve a subject with gunicorn; gives its master process and its port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    port = listener.getsockname()[1]
    environ = {
        "BORDERPOST_INSTANCE": str(place.folder),
        "BORDERPOST_DATABASE_URL": place.gateway_url,
        "BORDERPOST_PUBLIC_URL": PUBLIC_URL,
        "BORDERPOST_TWILIO_URL": twilio_url,
        "BORDERPOST_SECRET_KEY": "0123456789abcdef" * 2,
        "BORDERPOST_ENCRYPTION_KEYS": place.key,
        "BORDERPOST_THREADS": str(threads),
        "WEB_CONCURRENCY": str(processes),
        "BENCH_WORKER": subject.worker,
        "BENCH_DATABASE": place.beside_url,
        "BENCH_PUBLIC_URL": PUBLIC_URL,
        "BENCH_AUTH_TOKEN": AUTH_TOKEN,
        "BENCH_ACCOUNT_SID": ACCOUNT,
        "BENCH_TWILIO_URL": twilio_url,
    }
    log = place.folder / "web.log"
    if subject.is_gateway:
        with running_gateway(listener, environ, log) as process:
            yield process, port
        return
    bind = ("--bind", f"fd://{listener.fileno()}")
    command = ["gunicorn", *bind, *BESIDE, subject.wsgi]
    with running(command, environ, log, (listener.fileno(),)) as process:
        listener.close()
        eventually(lambda: len(process.children()) == processes)
        yield process, port


def write_callbacks(place: Ground, subject: Subject, path: Path, count: int) -> None:
    """Store messages and write the callbacks of their lives: `sent`, then `delivered`."""
    ids = [(new_id(), f"SM{new_id().hex}") for _ in range(count)]
    (_store if subject.is_gateway else _store_beside)(place, ids)
    requests = []
    for start in range(0, count, 500):
        for status in ("sent", "delivered"):
            for message_id, sid in ids[start : start + 500]:
                form = {
                    "ApiVersion": "2010-04-01",
                    "AccountSid": ACCOUNT,
                    "MessageSid": sid,
                    "SmsSid": sid,
                    "SmsStatus": status,
                    "MessageStatus": status,
                    "To": "+12025550123",
                    "From": "+12025550100",
                    "MessagingServiceSid": SERVICE_SID,
                    "RawDlrDoneDate": "2611220930",
                }
                target = f"{STATUS_PATH}?message_id={message_id}"
                signed = sign(AUTH_TOKEN, PUBLIC_URL + target, {n: [v] for n, v in form.items()})
                requests.append((target, ("X-Twilio-Signature", signed), urlencode(form)))
    write_requests(path, requests)


def _store(place: Ground, ids: list[tuple[UUID, str]]) -> None:
    now = utc_now()
    rows = [
        {
            "id": message_id,
            "workspace_id": place.tenant.workspace_id,
            "use_case_id": place.tenant.use_case_id,
            "account_sid": ACCOUNT,
            "submission": "accepted",
            "to_number": f"+1202{2_000_000 + number % 1_000_000}",
            "country": "US",
            "body": f"Hello number {number}, your code is 123456",
            "counted_segments": 1,
            "policy_revision": 1,
            "message_sid": sid,
            "sid_source": "answer",
            "status": "pending",
            "check_at": now + timedelta(hours=1),
            "created_at": now,
            "updated_at": now,
        }
        for number, (message_id, sid) in enumerate(ids)
    ]
    with place.database.writing() as connection:
        connection.execute(insert(messages), rows)


def _store_beside(place: Ground, ids: list[tuple[UUID, str]]) -> None:
    columns = "id, message_sid, to_number, body, country, status, rank, created_at, updated_at"
    at = utc_now().isoformat()
    rows = [
        (
            str(message_id),
            sid,
            f"+1202{2_000_000 + number % 1_000_000}",
            f"Hello number {number}, your code is 123456",
            *("US", "pending", 0, at, at),
        )
        for number, (message_id, sid) in enumerate(ids)
    ]
    connection = connect(place.beside_url)
    mark = "%s" if is_postgres(place.beside_url) else "?"
    statement = f"INSERT INTO message ({columns}) VALUES ({', '.join([mark] * 9)})"
    connection.execute("BEGIN")
    connection.cursor().executemany(statement, rows)
    connection.execute("COMMIT")
    connection.close()


def write_sends(tenant: Tenant, path: Path, count: int, *, to: str | None = None) -> None:
    """Write sends to so many numbers."""
    header = ("Authorization", f"AccessKey {tenant.keys[Role.SENDER]}")
    requests: list[tuple[str, tuple[str, str], str | dict[str, str]]] = [
        (
            "/v1/sms",
            header,
            {
                "use_case_id": str(tenant.use_case_id),
                "to_phone_number": to or f"+1202{2_000_000 + number % 1_000_000}",
                "message": "Your code is 4711",
            },
        )
        for number in range(count)
    ]
    write_requests(path, requests)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return
