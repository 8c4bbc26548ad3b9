"""The pages that machines ask: alive, ready, which version, how much of what."""

import re
from importlib.metadata import version
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.db.engine import Database
from app.db.schema import current_revision, latest_revision
from app.db.vault import Vault
from support.served import Served
from support.world import Gateway, Tenant, open_gateway


@pytest.fixture
def without_database(engine_name: str, vault: Vault, tmp_path: Path) -> Gateway:
    """A gateway whose database is not there."""
    nowhere = tmp_path / "nowhere"
    url = {
        "sqlite": f"sqlite:///{nowhere}/borderpost.db",
        "postgresql": f"postgresql+psycopg://postgres@/borderpost?host={nowhere}",
    }[engine_name]
    return open_gateway(Database(url), vault, tmp_path)


@pytest.fixture
def without_tables(database: Database, gateway: Gateway) -> Gateway:
    """A gateway whose database was never migrated."""
    with database.writing() as c:
        if database.is_sqlite:
            c.exec_driver_sql("ALTER TABLE alembic_version RENAME TO never_migrated")
        else:
            c.exec_driver_sql("ALTER SCHEMA public RENAME TO never_migrated")
    return gateway


def test_it_is_ready_with_a_migrated_database(served: Served) -> None:
    answer = served.gateway.get("/readyz")
    assert answer.status_code == 200
    assert answer.get_json() == {
        "status": "ready",
        "database": "ok",
        "schema": {"found": latest_revision(), "wanted": latest_revision()},
        "worker": {"heartbeat_at": None},
    }


def test_it_is_alive_and_not_ready_without_its_database(without_database: Gateway) -> None:
    assert without_database.get("/healthz").get_json() == {"status": "ok"}
    answer = without_database.get("/readyz")
    assert answer.status_code == 503
    assert answer.get_json() == {
        "status": "not ready",
        "database": "unreachable",
        "schema": {"found": None, "wanted": latest_revision()},
        "worker": {"heartbeat_at": None},
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


def test_it_is_ready_again_as_soon_as_the_database_is_back(
    vault: Vault, tmp_path: Path, sqlite_template: Path
) -> None:
    database = Database(f"sqlite:///{tmp_path}/away/borderpost.db")
    gateway = open_gateway(database, vault, tmp_path)
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
ELSEWHERE = {"REMOTE_ADDR": "203.0.113.9"}


@pytest.fixture
def with_token(vault: Vault, tmp_path: Path) -> Gateway:
    """A gateway with a metrics token; these pages ask nothing of its database."""
    database = Database(f"sqlite:///{tmp_path}/unused.db")
    return open_gateway(database, vault, tmp_path, metrics_token=TOKEN)


def _metrics(gateway: Gateway, environ: dict[str, str], **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = gateway.client.get("/metrics", headers=named, environ_overrides=environ)
    return answer.status_code


@pytest.mark.one_engine
@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1"])
def test_metrics_are_shown_to_this_machine(served: Served, address: str) -> None:
    assert _metrics(served.gateway, {"REMOTE_ADDR": address}) == 200


@pytest.mark.one_engine
@pytest.mark.parametrize("address", ["203.0.113.9", "10.0.0.1", "::ffff:203.0.113.9", "", "unix"])
def test_metrics_are_shown_to_no_other_machine_without_the_token(
    served: Served, address: str
) -> None:
    assert _metrics(served.gateway, {"REMOTE_ADDR": address}) == 401
    bearer = "Bearer " + TOKEN
    assert _metrics(served.gateway, {"REMOTE_ADDR": address}, Authorization=bearer) == 401


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
def test_a_proxy_on_this_machine_is_not_this_machine(served: Served, header: str) -> None:
    assert _metrics(served.gateway, {"REMOTE_ADDR": "127.0.0.1"}, **{header: "127.0.0.1"}) == 401


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
def test_metrics_are_shown_to_other_machines_that_bear_the_token(
    with_token: Gateway, authorization: str, status: int
) -> None:
    assert _metrics(with_token, ELSEWHERE, Authorization=authorization) == status
    behind_proxy = {"REMOTE_ADDR": "127.0.0.1"}
    headers = {"Authorization": authorization, "X_Forwarded_For": "203.0.113.9"}
    assert _metrics(with_token, behind_proxy, **headers) == status


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
