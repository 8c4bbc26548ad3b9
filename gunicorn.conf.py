"""How gunicorn serves Borderpost: `gunicorn wsgi:app` reads this by itself."""

import gc
import os
import select
import shutil
import tempfile
from typing import Any

# Before anything imports the metrics: they choose then how processes share them.
_metrics = tempfile.mkdtemp(prefix="borderpost-metrics-")
os.environ["PROMETHEUS_MULTIPROC_DIR"] = _metrics

from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]  # noqa: E402
from prometheus_client import multiprocess  # noqa: E402

from app.bootstrap import open_settings  # noqa: E402
from app.destinations.start_check import check_beside_serving  # noqa: E402
from app.settings import SettingsError  # noqa: E402

try:
    _settings = open_settings()
    _threads, _embedded = _settings.threads, _settings.is_embedded
except SettingsError:  # wsgi.py names the problems
    _threads, _embedded = 32, True


class StoppingWorker(ThreadWorker):  # type: ignore[misc]
    """Asked to stop, it serves who has connected already and lets all others be refused.

    gunicorn's own keeps its listeners until the slowest send has ended: whoever connects meanwhile
    waits unserved and is then cut off.
    """

    def set_accept_enabled(self, enabled: bool) -> None:
        """Accept or not; once it is for good, close the listeners."""
        super().set_accept_enabled(enabled)
        if self.alive or enabled:
            return
        for listener in self.sockets:
            for _ in range(self.worker_connections):
                if not select.select([listener], [], [], 0)[0]:
                    break
                self.accept(listener)
            listener.close()


bind = os.environ.get("BORDERPOST_BIND", f"127.0.0.1:{os.environ.get('PORT', '8000')}")
# One process writes to an SQLite file best; PostgreSQL takes as many as the machine has cores.
workers = int(os.environ.get("WEB_CONCURRENCY", "1" if _embedded else str(os.cpu_count() or 2)))
worker_class = StoppingWorker
threads = _threads
preload_app = True
graceful_timeout = 25
timeout = 60
keepalive = 30
control_socket_disable = True
accesslog = None
# Its own lines go the way of all others, through the masking of the application's handler: an error
# line of gunicorn's holds the query, which may hold a number.
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "loggers": {
        "gunicorn.error": {"level": "INFO", "handlers": [], "propagate": True},
        "gunicorn.access": {"level": "INFO", "handlers": [], "propagate": False},
    },
}


def when_ready(_server: Any) -> None:
    """Keep the loaded program out of the garbage collector, and its memory shared."""
    gc.collect()
    gc.freeze()


def post_worker_init(worker: Any) -> None:
    """Once a start: say in the log where Twilio's geo permissions and the policies differ."""
    if worker.age == 1:
        check_beside_serving(worker.wsgi)


def child_exit(_server: Any, worker: Any) -> None:
    """Forget the live gauges of a process that is gone."""
    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(_server: Any) -> None:
    """Leave nothing behind."""
    shutil.rmtree(_metrics, ignore_errors=True)
