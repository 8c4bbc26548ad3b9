"""The check at start: logged once, without delaying requests."""

import importlib.util
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import structlog
from flask import Flask

from app.access.tables import workspaces
from app.db.engine import Database
from app.destinations.geo_permissions.check import CheckProvider
from app.kernel.clock import Clock
from app.providers.port import ProviderUnknown
from app.web.registry import register_service
from app.worker.web_watch import check_in_background
from support.factories import ACCOUNT, OTHER_ACCOUNT, Factory
from support.geo import FakeGeo, permits
from support.polling import PATIENCE_SECONDS

pytestmark = pytest.mark.one_engine

CONFIG = Path(__file__).parents[3] / "gunicorn.conf.py"


def _start(database: Database, geo: FakeGeo) -> list[dict[str, Any]]:
    """Start the check and wait for its end; what it logged."""
    app = Flask("test")
    register_service(app, CheckProvider(database, geo, Clock()))
    with structlog.testing.capture_logs() as lines:
        thread = check_in_background(app)
        thread.join(PATIENCE_SECONDS)
    assert thread.daemon
    assert not thread.is_alive()
    return [dict(line) for line in lines]


def test_each_workspace_is_reported_separately(factory: Factory) -> None:
    acme = factory.organization()
    differs = factory.tenant(acme, "A")
    agrees = factory.tenant(acme, "B", destinations={"FR": "allowed"})
    unknown = factory.tenant(acme, "C", account_sid=OTHER_ACCOUNT)
    bare = factory.tenant(acme, "D")
    factory.set(workspaces, bare.workspace_id, account_sid=None)
    silent = ProviderUnknown("Twilio did not answer")
    geo = FakeGeo({ACCOUNT: permits(US=False, FR=True), OTHER_ACCOUNT: silent})

    lines = _start(factory.database, geo)

    found = [(line.pop("log_level"), line.pop("event"), line.pop("workspace_id")) for line in lines]
    assert found == [
        ("warning", "geo_permissions_differ", str(differs.workspace_id)),
        ("info", "geo_permissions_agree", str(agrees.workspace_id)),
        ("warning", "geo_permissions_unknown", str(unknown.workspace_id)),
    ]
    lists = {"allowed_here_closed_there": ["US"], "closed_here_open_there": ["FR"]}
    assert lines == [lists, {}, {"why": "Twilio did not answer"}]
    assert sorted(geo.target) == [ACCOUNT, OTHER_ACCOUNT]


def test_a_database_without_tables_is_a_line_in_the_log(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'empty.db'}")
    try:
        lines = _start(database, FakeGeo())
    finally:
        database.close()

    unknown = {"event": "geo_permissions_unknown", "log_level": "warning"}
    assert lines == [unknown | {"why": "the database is not ready"}]


def test_a_defect_is_a_line_in_the_log(factory: Factory) -> None:
    factory.tenant(factory.organization())

    (line,) = _start(factory.database, FakeGeo())  # knows no account: a KeyError

    assert (line["event"], line["why"]) == ("geo_permissions_unknown", "a defect of ours")


def test_an_app_without_the_service_is_a_line_in_the_log() -> None:
    with structlog.testing.capture_logs() as lines:
        check_in_background(Flask("test")).join(PATIENCE_SECONDS)

    assert [line["event"] for line in lines] == ["geo_permissions_unknown"]


def test_a_machine_without_threads_to_spare_is_a_line_in_the_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_thread: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with structlog.testing.capture_logs() as lines:
        check_in_background(Flask("test"))

    assert [line["why"] for line in lines] == ["no thread can be started"]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The configuration, as gunicorn loads it."""
    monkeypatch.setenv("BORDERPOST_INSTANCE", str(tmp_path / "instance"))
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "restored afterwards")
    spec = importlib.util.spec_from_file_location("gunicorn_conf", CONFIG)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    module.on_exit(None)


def test_every_process_watches_and_the_first_one_of_a_start_checks(
    config: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[object] = []
    watching: list[object] = []
    monkeypatch.setattr(config, "check_in_background", started.append)
    monkeypatch.setattr(config, "watch_in_background", watching.append)

    for age in (1, 2, 3):
        config.post_worker_init(SimpleNamespace(age=age, wsgi=f"app {age}"))

    assert started == ["app 1"]
    assert watching == ["app 1", "app 2", "app 3"]
