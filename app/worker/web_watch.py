"""A web process watches the workers and its host's clock, and checks geo permissions at start."""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from flask import Flask

from app.db.engine import Database
from app.db.heartbeats import has_web_clock, record_web_clock
from app.destinations.geo_permissions.check import CheckProvider, log_checked
from app.guards.autos import RefreshAutos
from app.guards.mail import MailAlerts
from app.guards.watchers import WatchInstallation
from app.kernel.clock import Clock
from app.kernel.errors import ServiceUnavailable
from app.web.registry import get_service
from app.worker.housekeeping import logged_skew
from app.worker.loop import Progress, Task, pause_after, run_task

WATCH_SECONDS = 30.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WatchFromWeb:
    database: Database
    clock: Clock
    host: str
    installation: WatchInstallation
    mail: MailAlerts
    autos: RefreshAutos

    def run_once(self) -> None:
        """While no worker runs, do what cannot wait for one: limits of a new day, and mail."""
        self._record_clock()
        if not self.installation.is_worker_running():
            self.autos.run_once()
            self.mail.run_once()

    def _record_clock(self) -> None:
        seconds = logged_skew(self.database)
        with self.database.reading() as connection:
            is_recorded = has_web_clock(connection, self.host)
        if seconds is not None or is_recorded:
            with self.database.writing() as connection:
                record_web_clock(connection, self.host, self.clock.now(), seconds)


def watch_in_background(
    app: Flask, seconds: float = WATCH_SECONDS, stop: threading.Event | None = None
) -> threading.Thread:
    """Begin after a pause, so that a worker that starts at the same time is not missed."""
    end = stop or threading.Event()
    return _in_background(lambda: _watch(app, seconds, end), "watch", _log_not_watched)


def _log_not_watched(why: str) -> None:
    _log.warning("installation_not_watched", why=why)


def _in_background(
    run: Callable[[], None], name: str, log_failure: Callable[[str], None]
) -> threading.Thread:
    thread = threading.Thread(target=run, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError:
        log_failure("no thread can be started")
    return thread


def _watch(app: Flask, seconds: float, stop: threading.Event) -> None:
    def run_once() -> int:
        with app.app_context():
            get_service(WatchFromWeb).run_once()
        return 0

    if not stop.wait(pause_after(seconds, 0, random.random())):  # noqa: S311
        run_task(Task("watch", run_once, seconds), stop, Progress())


def check_in_background(app: Flask) -> threading.Thread:
    """Only log the check of geo permissions, also its failures."""
    return _in_background(lambda: _check(app), "start-check", _log_unknown)


def _log_unknown(why: str) -> None:
    _log.warning("geo_permissions_unknown", why=why)


def _check(app: Flask) -> None:
    try:
        with app.app_context():
            checked = get_service(CheckProvider)()
        for one in checked:
            log_checked(one)
    except ServiceUnavailable:
        _log_unknown("the database is not ready")
    except Exception:  # noqa: BLE001
        _log.exception("geo_permissions_unknown", why="a defect of ours")
