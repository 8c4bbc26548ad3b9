"""The pages that machines ask: alive, ready, which version, how much of what."""

import re
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from urllib.parse import unquote

import pytest
from cryptography.fernet import Fernet
from prometheus_client.parser import text_string_to_metric_families

from app.db import schema
from app.db.encryption import Cipher
from app.db.engine import Database
from app.db.schema import current_revision, latest_revision
from app.web.registry import register_service
from support.factories import Gateway, Tenant, open_gateway
from support.served import Served
from support.time import ManualClock, host_clock_ahead


@pytest.fixture
def without_tables(database: Database, gateway: Gateway) -> Gateway:
    """A gateway whose database was never migrated."""
    with database.writing() as c:
        if database.is_sqlite:
            c.exec_driver_sql("ALTER TABLE alembic_version RENAME TO never_migrated")
        else:
            c.exec_driver_sql("ALTER SCHEMA public RENAME TO never_migrated")
    return gateway


@pytest.mark.one_engine
def test_it_is_ready_with_a_migrated_database(served: Served) -> None:
    answer = served.gateway.get("/readyz")
    assert answer.status_code == 200
    assert answer.get_json() == {
        "status": "ready",
        "database": "ok",
        "secrets": "ok",
        "schema": {"found": latest_revision(), "wanted": latest_revision()},
        "worker": {"heartbeat_at": None},
        "clock": {"skew_seconds": 0.0},
    }


def test_migrations_are_read_once_for_all_readiness_checks(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Break: leave out `cache` of `latest_revision`; anyone could then make us read them."""
    latest_revision()
    monkeypatch.setattr(schema, "_VERSIONS", None)
    assert served.gateway.get("/readyz").status_code == 200


def test_readiness_and_metrics_report_a_wrong_clock_of_the_host(gateway: Gateway) -> None:
    """Break: leave out `measure_clock` in `readyz`, or the `set` in `metrics`."""
    for hours in (25, -25):
        with host_clock_ahead(timedelta(hours=hours)):
            answer = gateway.get("/readyz")
            assert answer.status_code == 200
            skew = answer.get_json()["clock"]["skew_seconds"]
            assert skew == pytest.approx(hours * 3600, abs=1)
            (line,) = re.findall(
                r"^borderpost_clock_skew_seconds (.+)$", gateway.get("/metrics").text, re.MULTILINE
            )
            assert float(line) == pytest.approx(hours * 3600, abs=1)


def test_it_is_alive_and_not_ready_without_its_database(without_database: Gateway) -> None:
    assert without_database.get("/healthz").get_json() == {"status": "ok"}
    answer = without_database.get("/readyz")
    assert answer.status_code == 503
    assert answer.get_json() == {
        "status": "not ready",
        "database": "unreachable",
        "secrets": "unknown",
        "schema": {"found": None, "wanted": latest_revision()},
        "worker": {"heartbeat_at": None},
        "clock": {"skew_seconds": None},
    }


def test_it_is_alive_and_not_ready_before_the_migrations(without_tables: Gateway) -> None:
    assert without_tables.get("/healthz").status_code == 200
    answer = without_tables.get("/readyz")
    assert answer.status_code == 503
    assert answer.get_json()["database"] == "migrations missing"
    assert answer.get_json()["schema"] == {"found": None, "wanted": latest_revision()}


def test_it_is_not_ready_at_another_revision_than_its_own(
    gateway: Gateway, database: Database
) -> None:
    with database.writing() as c:
        c.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    assert current_revision(database) == "9999"
    answer = gateway.get("/readyz")
    assert answer.status_code == 503
    assert answer.get_json()["schema"] == {"found": "9999", "wanted": latest_revision()}


@contextmanager
def _without_writes(database: Database) -> Iterator[None]:
    """Make PostgreSQL read-only, or let no file of SQLite grow, as on a full disk."""
    if database.is_sqlite:
        assert database.engine.url.database is not None
        size = Path(f"{database.engine.url.database}-wal").stat().st_size
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        return
    name = f'ALTER DATABASE "{database.engine.url.database}"'
    with database.reading() as c:
        c.exec_driver_sql(f"{name} SET default_transaction_read_only = on")
    database.close()
    yield
    with database.writing() as c:
        c.exec_driver_sql("SET TRANSACTION READ WRITE")
        c.exec_driver_sql(f"{name} RESET default_transaction_read_only")
    database.close()


def test_it_is_not_ready_on_a_database_that_cannot_be_written(
    gateway: Gateway, database: Database, clock: ManualClock
) -> None:
    """Break: leave `require_writable` out of `readyz` or of `_measure_stored`."""
    register_service(gateway.client.application, clock.clock())
    for _ in range(2):
        assert gateway.get("/readyz").status_code == 200
        assert "\nborderpost_database_up 1.0\n" in gateway.get("/metrics").text
        clock.advance(1)
        with _without_writes(database):
            answer = gateway.get("/readyz")
            metrics = gateway.get("/metrics").text
        assert answer.status_code == 503
        found = answer.get_json()
        assert (found["database"], found["secrets"]) == ("cannot be written", "ok")
        assert found["schema"]["found"] == latest_revision()
        assert "\nborderpost_database_up 0.0\n" in metrics


@pytest.mark.one_engine
def test_readiness_checks_of_one_second_write_once(
    gateway: Gateway, database: Database, clock: ManualClock
) -> None:
    """Break: in `require_writable`, leave `is_older` out."""
    register_service(gateway.client.application, clock.clock())
    log = Path(f"{database.engine.url.database}-wal")
    assert gateway.get("/readyz").status_code == 200
    size = log.stat().st_size
    assert {gateway.get("/readyz").status_code for _ in range(20)} == {200}
    assert log.stat().st_size == size
    clock.advance(1)
    assert gateway.get("/readyz").status_code == 200
    assert log.stat().st_size > size


def test_host_with_other_secrets_is_not_ready_and_names_them(
    gateway: Gateway, database: Database, cipher: Cipher, tmp_path: Path
) -> None:
    """Break: leave `differing` out of the answer of `readyz`."""
    assert gateway.get("/readyz").status_code == 200
    installed = gateway.services.installation_secrets
    others = {
        "BORDERPOST_SECRET_KEY": replace(installed, secret_key="f" * 32),
        "BORDERPOST_ENCRYPTION_KEYS": replace(
            installed, cipher=Cipher([Fernet.generate_key().decode()])
        ),
    }
    for name, other in others.items():
        register_service(gateway.client.application, other)
        answer = gateway.get("/readyz")
        assert answer.status_code == 503
        found = answer.get_json()
        assert (found["status"], found["database"]) == ("not ready", "ok")
        assert found["secrets"].startswith(f"{name}: ")
        assert installed.secret_key not in answer.text
        assert other.secret_key not in answer.text
        assert gateway.get("/healthz").status_code == 200
    register_service(gateway.client.application, installed)
    assert gateway.get("/readyz").status_code == 200


def test_it_is_ready_again_as_soon_as_the_database_is_back(
    cipher: Cipher, tmp_path: Path, sqlite_template: Path
) -> None:
    database = Database(f"sqlite:///{tmp_path}/away/borderpost.db")
    gateway = open_gateway(database, cipher, tmp_path)
    assert gateway.get("/readyz").status_code == 503
    (tmp_path / "away").mkdir()
    (tmp_path / "away" / "borderpost.db").write_bytes(sqlite_template.read_bytes())
    assert gateway.get("/readyz").status_code == 200
    database.close()


def test_the_version_is_the_one_of_the_package(served: Served) -> None:
    assert served.gateway.get("/version").get_json() == {
        "name": "borderpost",
        "version": version("borderpost"),
    }


TOKEN = "metrics-token-of-a-test"


@pytest.fixture
def with_token(cipher: Cipher, tmp_path: Path) -> Gateway:
    """A gateway with a metrics token; these pages ask nothing of its database."""
    database = Database(f"sqlite:///{tmp_path}/unused.db")
    return open_gateway(database, cipher, tmp_path, metrics_token=TOKEN)


SPELLINGS = ("/metrics", "/metrics/", "//metrics", "///metrics//", "/%6detrics", "/./metrics")


def _metrics(
    gateway: Gateway, address: str, path: str = "/metrics", method: str = "GET", **headers: str
) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = gateway.client.open(
        unquote(path), method=method, headers=named, environ_overrides={"REMOTE_ADDR": address}
    )
    return answer.status_code


@pytest.mark.one_engine
def test_metrics_need_the_token_from_everyone_where_one_is_set(with_token: Gateway) -> None:
    """Break: in `app/web/health.py`, let loopback pass before the token is looked at."""
    for path in SPELLINGS:
        for address in ("127.0.0.1", "::1", "203.0.113.9"):
            for method in ("GET", "HEAD"):
                assert _metrics(with_token, address, path, method) in {401, 404}
                given = _metrics(with_token, address, path, method, Authorization=f"Bearer {TOKEN}")
                assert given in {200, 404}
    assert _metrics(with_token, "127.0.0.1", Host="localhost") == 401


@pytest.mark.one_engine
def test_the_metrics_token_may_have_any_characters(
    database: Database, cipher: Cipher, tmp_path: Path
) -> None:
    token = "p\u00e4sswort f\u00fcr \u20ac und voil\u00e0"
    gateway = open_gateway(database, cipher, tmp_path, metrics_token=token)
    sent = token.encode().decode("latin-1")  # a client sends UTF-8, WSGI reads latin-1
    assert _metrics(gateway, "203.0.113.9", Authorization=f"Bearer {sent}") == 200
    assert _metrics(gateway, "203.0.113.9", Authorization=f"Bearer {sent}x") == 401


@pytest.mark.one_engine
@pytest.mark.parametrize("given", ["", "AccessKey x", "Bearer wrong"])
def test_metrics_ask_for_their_own_scheme(with_token: Gateway, given: str) -> None:
    answer = with_token.client.get("/metrics", headers={"Authorization": given})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.one_engine
@pytest.mark.parametrize(
    ("address", "host", "status"),
    [
        ("127.0.0.1", "127.0.0.1:8000", 200),
        ("127.9.9.9", "localhost", 200),
        ("::1", "[::1]:8000", 200),
        ("::ffff:127.0.0.1", "LOCALHOST:1", 200),
        ("127.0.0.1", "gateway.example.com", 401),
        ("127.0.0.1", "localhost.example.com", 401),
        ("127.0.0.1", "127.0.0.1.example.com", 401),
        ("127.0.0.1", "127.0.0.1@example.com", 401),
        ("127.0.0.1", "example.com:127", 401),
        ("127.0.0.1", "0.0.0.0", 401),
        ("127.0.0.1", "", 401),
        ("203.0.113.9", "127.0.0.1", 401),
        ("10.0.0.1", "localhost", 401),
        ("::ffff:203.0.113.9", "localhost", 401),
        ("", "localhost", 401),
        ("unix", "localhost", 401),
    ],
)
def test_metrics_without_token_are_for_loopback_with_a_loopback_host(
    served: Served, address: str, host: str, status: int
) -> None:
    """Break: in `app/web/health.py`, do not look at the host."""
    assert _metrics(served.gateway, address, Host=host) == status
    bearer = f"Bearer {TOKEN}"
    assert _metrics(served.gateway, address, Host=host, Authorization=bearer) == status
    if status == 401:
        assert {_metrics(served.gateway, address, path, Host=host) for path in SPELLINGS} <= {
            401,
            404,
        }


OF_PROXIES = (
    *("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "Forwarded"),
    *("X-Forwarded", "Forwarded-For", "X-Forwarded-Server", "X-Forwarded-Prefix", "Via"),
    "X-Real-IP",
    *("Client-IP", "X-Client-IP", "True-Client-IP", "CF-Connecting-IP", "CF-Ray", "X-Remote-Addr"),
    *("X-Cluster-Client-IP", "X-ProxyUser-IP", "Proxy-Client-IP", "WL-Proxy-Client-IP"),
    "X-Proxied-By",
    *("X-Original-Forwarded-For", "X-Original-Host", "X-Original-URL", "X-Envoy-External-Address"),
    *("Fastly-Client-IP", "Akamai-Origin-Hop", "X-Amzn-Trace-Id", "X-Azure-ClientIP"),
    "Fly-Client-IP",
    *("X-AppEngine-User-IP", "X-Varnish", "Proxy-Connection", "X-RealIP", "CDN-Loop"),
    "x-forwarded-for",
)
OF_SCRAPERS = {
    "Accept": "application/openmetrics-text;version=1.0.0,*/*;q=0.1",
    "Accept-Encoding": "gzip",
    "User-Agent": "Prometheus/3.0",
    "X-Prometheus-Scrape-Timeout-Seconds": "10",
    "Connection": "keep-alive",
    "Cache-Control": "no-cache",
    "Sec-Fetch-Site": "none",
    "Sec-CH-UA": '"Chromium";v="140"',
}


@pytest.mark.one_engine
def test_metrics_without_token_are_not_for_a_proxy_on_this_machine(served: Served) -> None:
    """Break: in `app/web/health.py`, take `client` out of `_OF_PROXIES`."""
    answered = {
        (header, path): _metrics(
            served.gateway, "127.0.0.1", path, Host="127.0.0.1", **{header: "::1"}
        )
        for header in OF_PROXIES
        for path in SPELLINGS
    }
    assert {place for place, status in answered.items() if status not in {401, 404}} == set()
    assert _metrics(served.gateway, "127.0.0.1", Host="127.0.0.1", **OF_SCRAPERS) == 200
    for target, protocol, status in (
        ("/metrics", "HTTP/1.1", 200),
        ("/metrics", "HTTP/1.0", 401),  # as nginx asks unless it is told otherwise
        ("http://gateway.example.com/metrics", "HTTP/1.1", 401),
    ):
        environ = {"RAW_URI": target, "SERVER_PROTOCOL": protocol, "REMOTE_ADDR": "127.0.0.1"}
        answer = served.gateway.client.get(
            "/metrics", headers={"Host": "localhost"}, environ_overrides=environ
        )
        assert answer.status_code == status, (target, protocol)


@pytest.mark.one_engine
@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (f"Bearer {TOKEN}", 200),
        (f"bearer {TOKEN}", 200),
        ("", 401),
        ("Bearer", 401),
        ("Bearer ", 401),
        (f"Bearer {TOKEN}x", 401),
        (f"Bearer {TOKEN[:-1]}", 401),
        (f"AccessKey {TOKEN}", 401),
        (TOKEN, 401),
        ("Bearer \u00e9", 401),
    ],
)
def test_metrics_are_shown_to_bearers_of_the_token(
    with_token: Gateway, authorization: str, status: int
) -> None:
    assert _metrics(with_token, "203.0.113.9", Authorization=authorization) == status
    headers = {"Authorization": authorization, "X_Forwarded_For": "203.0.113.9"}
    assert _metrics(with_token, "127.0.0.1", **headers) == status


@pytest.mark.one_engine
def test_script_name_and_forwarder_headers_change_no_link(served: Served) -> None:
    """Break: in `app/web/requests.py`, leave the script name as it came."""
    headers = {
        "Host": "gateway.example.com",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Prefix": "/evil",
        "X-Forwarded-Proto": "https",
        "Forwarded": "host=evil.example;proto=https",
        "Script-Name": "/evil",
    }
    plain = served.gateway.client.get("/console", headers={"Host": "gateway.example.com"})
    answer = served.gateway.client.get(
        "/console", headers=headers, environ_overrides={"SCRIPT_NAME": "/evil"}
    )
    assert (answer.status_code, answer.headers["Location"]) == (
        plain.status_code,
        plain.headers["Location"],
    )
    assert "evil" not in answer.text + str(answer.headers)


@pytest.mark.one_engine
def test_metrics_hold_no_number_and_no_id(gateway: Gateway, tenant: Tenant) -> None:
    sent = gateway.send(tenant, to="+12025550187").get_json()
    gateway.callback(sent["id"], sent["message_sid"], "delivered", To="+12025550187")
    gateway.send(tenant, to="+5511961234587")
    answer = gateway.get("/metrics")
    assert answer.mimetype == "text/plain"
    families = {family.name for family in text_string_to_metric_families(answer.text)}
    assert {"borderpost_request_seconds", "borderpost_sends", "borderpost_callbacks"} <= families
    assert 'borderpost_sends_total{end="DestinationBlocked"}' in answer.text
    assert 'borderpost_callbacks_total{end="applied"}' in answer.text
    for planted in ("12025550187", "5511961234587", sent["id"], str(tenant.workspace_id)):
        assert planted not in answer.text
    assert not re.search(r"bp_[0-9A-Za-z]{38}|[0-9a-f]{32}", answer.text)
