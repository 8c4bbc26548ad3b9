"""What a web process watches: its clock, and mail while no worker runs."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import delete

from app.access.principal import Role
from app.application import create_app
from app.db.engine import Database
from app.db.heartbeats import beat, web_clocks, worker_heartbeats
from app.guards.tables import guard_autos
from app.kernel.clock import utc_now
from app.kernel.mail import MailServer
from app.worker.web_watch import WatchFromWeb, watch_in_background
from support.factories import Factory, Gateway, Tenant
from support.polling import eventually
from support.smtp_server import SmtpServer

MINUTE = timedelta(minutes=1)


@pytest.fixture
def watch(gateway: Gateway) -> WatchFromWeb:
    return replace(gateway.services.watch, host="web-1")


@pytest.fixture
def skew(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Set what the next measurements of the clock find."""

    def set_skew(seconds: float) -> None:
        monkeypatch.setattr(Database, "measure_clock", lambda _: timedelta(seconds=seconds))

    return set_skew


def test_a_web_host_reports_a_clock_that_differs_until_it_agrees(
    watch: WatchFromWeb, factory: Factory, tenant: Tenant, skew: Callable[[float], None]
) -> None:
    """Break: write a row for a right clock, too, and every process writes all the time."""
    found = []
    for seconds in (59, -75, -80, 0):
        skew(seconds)
        watch.run_once()
        found.append([(row["host"], row["skew_seconds"]) for row in factory.rows(web_clocks)])
    assert found == [[], [("web-1", -75)], [("web-1", -80)], []]


def test_alerts_are_mailed_from_here_only_while_no_worker_runs(
    watch: WatchFromWeb, factory: Factory, tenant: Tenant
) -> None:
    """Break: mail whoever runs, or leave it to a worker that is gone."""
    with SmtpServer() as server:
        to = MailServer(
            "127.0.0.1", server.port, "a@example.com", ("ops@example.com",), needs_starttls=False
        )
        watch = replace(watch, mail=replace(watch.mail, server=to))
        counts = []
        for age in (timedelta(0), 3 * MINUTE, timedelta(0)):
            with factory.database.writing() as connection:
                connection.execute(delete(worker_heartbeats))
                beat(connection, "host:1", utc_now() - age)
            watch.run_once()
            counts.append(len(server.mails))
        assert counts == [0, 1, 1]
        assert "No worker is running" in server.mails[0].get_content()


def test_limits_of_a_new_day_are_stored_from_here_only_while_no_worker_runs(
    watch: WatchFromWeb, factory: Factory, tenant: Tenant
) -> None:
    """Break: leave it to the sends, the first of which then sums up the messages of 15 days."""
    counts = []
    for age in (timedelta(0), 3 * MINUTE):
        with factory.database.writing() as connection:
            connection.execute(delete(worker_heartbeats))
            beat(connection, "host:1", utc_now() - age)
        watch.run_once()
        own = factory.rows(guard_autos, workspace_id=tenant.workspace_id)
        counts.append(len(own))
    assert counts == [0, 1]


def test_a_thread_of_the_web_process_watches(
    gateway: Gateway, factory: Factory, tenant: Tenant
) -> None:
    with factory.database.writing() as connection:
        beat(connection, "host:1", utc_now() - 3 * MINUTE)
    stop = threading.Event()
    thread = watch_in_background(create_app(gateway.services), 0.01, stop)

    def kinds() -> list[str]:
        items = gateway.get("/v1/alerts", key=tenant.keys[Role.VIEWER]).json["items"]
        return [one["kind"] for one in items]

    try:
        eventually(lambda: kinds() == ["worker.stuck"])
    finally:
        stop.set()
        thread.join()
