"""How gunicorn serves Borderpost: `gunicorn wsgi:app` reads this by itself."""

# ruff: noqa: E402
import gc

# Imports make many objects and no garbage: with the collector, a start takes a sixth longer.
gc.disable()

import shutil
from typing import Any

from app.web.metrics_folder import make_metrics_folder

# Before anything imports the metrics: they choose then how processes share them.
_metrics = make_metrics_folder()

from prometheus_client import multiprocess

from app.bootstrap import open_settings
from app.settings import DEFAULT_BIND, SettingsError
from app.tracing import TRACING, is_wanted
from app.web.server.worker import BufferingWorker
from app.worker.web_watch import check_in_background, watch_in_background

gc.enable()

try:
    _settings = open_settings()
    bind, workers, _threads = _settings.bind, _settings.processes, _settings.threads
except SettingsError:  # wsgi.py names the problems
    bind, workers, _threads = DEFAULT_BIND, 1, 32

worker_class = BufferingWorker
threads = max(2, _threads)  # one of them is for callbacks
worker_connections = 2000
# Headers that a proxy may set are trusted for nothing: the public URL is a setting.
forwarded_allow_ips = ""
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}
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
    """Keep the loaded program out of the garbage collector."""
    gc.collect()
    gc.freeze()


def post_worker_init(worker: Any) -> None:
    """Watch the workers, and log once per start where geo permissions and policies differ."""
    if is_wanted():
        TRACING.start()
    watch_in_background(worker.wsgi)
    if worker.age == 1:
        check_in_background(worker.wsgi)


def child_exit(_server: Any, worker: Any) -> None:
    """Forget the live gauges of a process that is gone."""
    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(_server: Any) -> None:
    """Leave nothing behind."""
    shutil.rmtree(_metrics, ignore_errors=True)
