"""The emulator's application on Werkzeug's threaded server, on loopback by default."""

import socket
import threading
from contextlib import suppress
from typing import Any, Final, Self

from flask import Flask, Response, jsonify
from werkzeug.exceptions import HTTPException
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from app.emulator import control_api
from app.emulator.config import DEFAULT_CONFIG, EmulatorConfig
from app.emulator.emulator import EXTENSION, Emulator, emulator_of
from app.emulator.errors import TwilioError
from app.emulator.twilio_api import account_setup, countries, lookups, messages

_CODE_OF_STATUS = {404: 20404, 405: 20004}
_POLL_SECONDS: Final = 0.02
_BACKLOG: Final = 128


def create_emulator(config: EmulatorConfig = DEFAULT_CONFIG) -> Flask:
    application = Flask(__name__, static_folder=None)
    application.config["MAX_CONTENT_LENGTH"] = 1_000_000
    application.extensions[EXTENSION] = Emulator(config)
    for module in (account_setup, messages, countries, lookups, control_api):
        application.register_blueprint(module.blueprint)
    application.register_error_handler(TwilioError, _refusal)
    application.register_error_handler(HTTPException, _failure)
    return application


def _refusal(error: TwilioError) -> Response:
    answer = jsonify(error.body())
    answer.status_code = error.status
    answer.headers.extend(error.headers)
    if error.status == 401:  # noqa: PLR2004
        answer.headers["WWW-Authenticate"] = 'Basic realm="Twilio API"'
    return answer


def _failure(error: HTTPException) -> Response:
    status = error.code or 500
    fallback = 20001 if status < 500 else 20500  # noqa: PLR2004
    return _refusal(TwilioError(_CODE_OF_STATUS.get(status, fallback), status=status))


class _QuietHandler(WSGIRequestHandler):
    """Logs no requests: their URLs contain phone numbers."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Disabled."""


class _Server(ThreadedWSGIServer):
    """Closes idle connections and joins its handlers when it is closed."""

    daemon_threads = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        super().__init__(*args, **kwargs)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        with self._lock:
            for connection in self._connections:
                # SHUT_RD: a waiting handler stops, and an answer can still be sent.
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RD)
        super().server_close()


class EmulatorServer:
    def __init__(
        self, host: str = "127.0.0.1", port: int = 0, config: EmulatorConfig = DEFAULT_CONFIG
    ) -> None:
        self._address = (host, port)
        self._application = create_emulator(config)
        self.emulator = emulator_of(self._application)
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The base URL without a trailing slash, once the server runs."""
        host, port = self._address
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def start(self) -> None:
        """Serves from a thread; raises `OSError` when the address is in use."""
        host, port = self._address
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.create_server((host, port), family=family, backlog=_BACKLOG) as listener:
            self._address = (host, listener.getsockname()[1])
            self._server = _Server(
                host, self._address[1], self._application, _QuietHandler, fd=listener.fileno()
            )
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_SECONDS,), name="emulator-server"
        )
        self._thread.start()

    def close(self) -> None:
        """Stops callbacks and server and joins their threads; safe to call twice."""
        self.emulator.close()
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server = self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
