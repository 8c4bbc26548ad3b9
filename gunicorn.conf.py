"""How gunicorn serves Borderpost: `gunicorn wsgi:app` reads this by itself."""

import ctypes
import gc
import os
import shutil
import socket
import struct
import sys
from typing import Any

from app.web.metrics_folder import make_metrics_folder

# Before anything imports the metrics: they choose then how processes share them.
_metrics = make_metrics_folder()

from prometheus_client import multiprocess  # noqa: E402

from app.bootstrap import open_settings  # noqa: E402
from app.destinations.start_check import check_beside_serving  # noqa: E402
from app.settings import SettingsError  # noqa: E402
from app.web.server.worker import BufferingWorker  # noqa: E402

try:
    _settings = open_settings()
    _threads, _embedded = _settings.threads, _settings.is_embedded
except SettingsError:  # wsgi.py names the problems
    _threads, _embedded = 32, True


_SO_ATTACH_FILTER = 26
# Classic BPF over a TCP segment: what has the SYN flag is dropped, all else is taken.
_NO_SYN = b"".join(
    struct.pack("HBBI", *instruction)
    for instruction in (
        (0x30, 0, 0, 13),
        (0x45, 0, 1, 0x02),
        (0x06, 0, 0, 0),
        (0x06, 0, 0, 2**32 - 1),
    )
)


def let_nobody_begin(listener: socket.socket) -> None:
    """Let no new connection begin, in any process that has this listener.

    A connection that begins between the last accept and the close is cut off and never read. Who is
    not heard asks again a second later and is refused. Elsewhere than on Linux nothing is done.
    """
    if sys.platform != "linux" or listener.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    program = ctypes.create_string_buffer(_NO_SYN)
    length = len(_NO_SYN) // struct.calcsize("HBBI")
    wanted = struct.pack("HP", length, ctypes.addressof(program))
    listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, wanted)


bind = os.environ.get("BORDERPOST_BIND", f"127.0.0.1:{os.environ.get('PORT', '8000')}")
# One process writes to an SQLite file best; PostgreSQL takes as many as the machine has cores.
workers = int(os.environ.get("WEB_CONCURRENCY", "1" if _embedded else str(os.cpu_count() or 2)))
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


def when_ready(server: Any) -> None:
    """Keep the loaded program out of the garbage collector; prepare the stop of all workers."""
    gc.collect()
    gc.freeze()
    stop = server.stop

    def stop_quietly(*graceful: bool) -> None:
        for listener in server.LISTENERS:
            let_nobody_begin(listener.sock)
        stop(*graceful)

    server.stop = stop_quietly


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
