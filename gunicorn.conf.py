"""How gunicorn serves Borderpost: `gunicorn wsgi:app` reads this by itself."""

import gc
import os
import shutil
import tempfile
from typing import Any

# Before anything imports the metrics: they choose then how processes share them.
_metrics = tempfile.mkdtemp(prefix="borderpost-metrics-")
os.environ["PROMETHEUS_MULTIPROC_DIR"] = _metrics

from prometheus_client import multiprocess  # noqa: E402

from app.bootstrap import open_settings  # noqa: E402
from app.destinations.start_check import check_beside_serving  # noqa: E402
from app.settings import SettingsError  # noqa: E402

try:
    _settings = open_settings()
    _threads, _embedded = _settings.threads, _settings.is_embedded
except SettingsError:  # wsgi.py names the problems
    _threads, _embedded = 32, True

bind = os.environ.get("BORDERPOST_BIND", f"127.0.0.1:{os.environ.get('PORT', '8000')}")
# One process writes to an SQLite file best; PostgreSQL takes as many as the machine has cores.
workers = int(os.environ.get("WEB_CONCURRENCY", "1" if _embedded else str(os.cpu_count() or 2)))
worker_class = "gthread"
threads = _threads
preload_app = True
graceful_timeout = 25
timeout = 60
keepalive = 30
control_socket_disable = True
accesslog = None


def when_ready(server):  # type: ignore[no-untyped-def]
    """Keep the loaded program out of the garbage collector, and its memory shared."""
    gc.collect()
    gc.freeze()


def post_worker_init(worker: Any) -> None:
    """Once a start: say in the log where Twilio's geo permissions and the policies differ."""
    if worker.age == 1:
        check_beside_serving(worker.wsgi)


def child_exit(server, worker):  # type: ignore[no-untyped-def]
    """Forget the live gauges of a process that is gone."""
    multiprocess.mark_process_dead(worker.pid)


def on_exit(server):  # type: ignore[no-untyped-def]
    """Leave nothing behind."""
    shutil.rmtree(_metrics, ignore_errors=True)
