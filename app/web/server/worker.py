"""The gunicorn worker: only complete requests take a thread.

gunicorn's threaded worker reads and writes in the threads of its pool, so a few dozen slow clients
block it. Here the event loop does both with deadlines; a thread gets a complete request and returns
a complete answer.
"""

import errno
import os
import select
import selectors
import socket
import sys
import time
from typing import Any

import structlog
from gunicorn.http import wsgi
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, ThreadWorker

from app.web.server.connection import (
    BUSY,
    INCOMPLETE,
    NEVER,
    AnswerWriter,
    Connection,
    Deadlines,
    Phase,
    allow_connections,
)
from app.web.server.error_bytes import RequestTimeout, error_bytes
from app.web.server.request_reader import MAX_HEAD_BYTES, ReadOnce, RequestReader
from app.web.server.threads import Threads
from app.web.waiting import allow_waiting, condition_to_run_again

_log = structlog.get_logger(__name__)
_SWEEP_SECONDS = 0.25
_TURN_SECONDS = 0.01
_WAITING_PER_THREAD = 4
# The size of twenty of the largest answers.
_MOST_UNSENT_BYTES = 32 * 1024 * 1024


# Callbacks, and the checks of a load balancer, wait for no other requests.
def _comes_first(conn: Connection) -> bool:
    path: str = conn.request.path
    return "/webhook/twilio/" in path or path.endswith(("/healthz", "/readyz"))


class BufferingWorker(ThreadWorker):  # type: ignore[misc]
    deadlines = Deadlines()
    alive: bool
    worker_connections: int

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._connections: set[Connection] = set()
        self._waiting: list[Connection] = []
        self._next_sweep = 0.0
        self._next_sign_of_life = 0.0

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        super().check_config(cfg, log)
        if cfg.is_ssl:
            raise RuntimeError("TLS is not served here: end it in a proxy in front.")

    def init_process(self) -> None:
        """Reserve file descriptors for all connections, or allow fewer connections."""
        self.worker_connections = allow_connections(self.worker_connections)
        # Only the public URL sets the path prefix.
        os.environ.pop("SCRIPT_NAME", None)
        # Longer than a request computes: a change of threads in between costs more than it gains.
        sys.setswitchinterval(_TURN_SECONDS)
        self.cfg: Any = ReadOnce(self.cfg)
        super().init_process()

    # Called by the base class.

    def notify(self) -> None:
        """Show the master a sign of life, at most once a second; gunicorn does at each event."""
        if time.monotonic() >= self._next_sign_of_life:
            self._next_sign_of_life = time.monotonic() + 1.0
            super().notify()

    def get_thread_pool(self) -> Threads[Connection]:
        return Threads(self.cfg.threads, self.handle, _comes_first)

    def set_accept_enabled(self, enabled: bool) -> None:
        """Start or stop accepting; at the final stop, serve the queue and close the listeners.

        gunicorn's worker keeps its listeners open until the slowest request has ended, so a
        client that connects in between is never served. At the moment of the close, a
        client gets a reset, which is safe to retry with an idempotency key.
        """
        super().set_accept_enabled(enabled)
        if self.alive or enabled:
            return
        for listener in self.sockets:
            for _ in range(self.worker_connections):
                if not select.select([listener], [], [], 0)[0]:
                    break
                self.accept(listener)
            listener.close()

    def accept(self, listener: socket.socket) -> None:
        if self.nr_conns >= self.worker_connections - 1:
            self._make_room()
        try:
            sock, client = listener.accept()
        except OSError as problem:
            if problem.errno in {errno.EMFILE, errno.ENFILE}:
                self._make_room()
            elif problem.errno not in {errno.EAGAIN, errno.ECONNABORTED}:
                raise
            return
        sock.setblocking(False)
        conn = Connection(
            sock=sock,
            client=client,
            server=listener.getsockname(),
            reader=RequestReader(self.cfg, client),
            poller=self.poller,
            on_event=self._go_on,
            deadline=self._until_next_request(self.deadlines.head),
        )
        self.nr_conns += 1
        self._connections.add(conn)
        self._go_on(conn)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        if self._connections:
            timeout = min(timeout, _SWEEP_SECONDS)
        super().wait_for_and_dispatch_events(timeout)
        if time.monotonic() >= self._next_sweep:
            self._next_sweep = time.monotonic() + _SWEEP_SECONDS
            self._end_overdue()
            self._bound_unsent()
            self._run_waiting(len(self._waiting))

    def murder_keepalived(self, force: bool = False) -> None:  # noqa: FBT002
        for conn in list(self._connections) if force else ():
            self._close(conn)

    def _cap_keepalive(self, deadline: float) -> None:
        """Shorten the deadline of connections without a complete head."""
        for conn in self._connections:
            if conn.phase in {Phase.IDLE, Phase.HEAD}:
                conn.deadline = min(conn.deadline, deadline)

    def _until_next_request(self, seconds: float) -> float:
        if not self.alive:
            seconds = min(seconds, STOP_KEEPALIVE_LINGER)
        return time.monotonic() + seconds

    # Reading.

    def _go_on(self, conn: Connection) -> None:
        if conn.phase is Phase.ANSWERING:
            conn.send()
            self._after_sending(conn)
            return
        data = conn.receive()
        if conn.phase in BUSY:
            self._keep_early(conn, data)
        elif data is None:
            conn.watch(selectors.EVENT_READ)
        elif not data:
            self._close(conn)
        elif conn.phase is not Phase.CLOSING:
            conn.reader.feed(data)
            self._take_request(conn)

    def _keep_early(self, conn: Connection, data: bytes | None) -> None:
        """Keep bytes that the client sends before it has its answer.

        The connection stays watched while its request runs, which saves two system calls.
        """
        if data:
            conn.reader.feed(data)
        if data == b"" or conn.reader.buffered_bytes > MAX_HEAD_BYTES:
            conn.watch(0)
        self._look_again(conn)

    def _look_again(self, conn: Connection) -> None:
        """Go on if a thread has ended the request in the meantime."""
        if conn.phase is Phase.IDLE:
            self._take_request(conn)

    def _take_request(self, conn: Connection) -> None:
        reader = conn.reader
        try:
            request = reader.next_request()
        except Exception as error:  # noqa: BLE001
            self._refuse(conn, error)
            return
        if request is not None:
            conn.request = request
            conn.may_wait = len(self._waiting) < self.cfg.threads * _WAITING_PER_THREAD
            conn.deadline = NEVER
            self._run(conn)
            return
        if reader.is_in_body and conn.phase is not Phase.BODY:
            conn.phase = Phase.BODY
            conn.deadline = time.monotonic() + self.deadlines.body
            if reader.request._expected_100_continue:  # noqa: SLF001
                conn.invite_body()
        elif reader.has_begun and conn.phase is Phase.IDLE:
            conn.phase = Phase.HEAD
            conn.deadline = self._until_next_request(self.deadlines.head)
        conn.watch(selectors.EVENT_READ)

    # Running, on a thread.

    def _run(self, conn: Connection) -> None:
        conn.phase = Phase.RUNNING
        conn.condition = None
        self.tpool.submit(conn)

    def handle(self, conn: Connection) -> None:
        try:
            conn.unsent = self._answer(conn)
        except BaseException as error:  # noqa: BLE001
            _log.error("request_failed", exc_info=error)
            conn.keep_alive, conn.condition = False, None
            conn.unsent = error_bytes(error, conn.request, self.wsgi)
        if conn.condition is None:
            conn.send()
        if conn.condition is not None or conn.unsent or not conn.keep_alive:
            self.method_queue.defer(self._finish, conn)
            return
        self._await_next(conn)
        # The event loop may have seen the next request while this one was running.
        if conn.reader.has_begun or not conn.watched:
            self.method_queue.defer(self._look_again, conn)
        if self._waiting:
            self.method_queue.defer(self._run_waiting, 1)

    def _answer(self, conn: Connection) -> bytes:
        """Run the application; sets the condition of the connection if it must run again."""
        request = conn.request
        request.body.seek(0)
        request._expected_100_continue = False  # noqa: SLF001  # the body is here
        answer: AnswerWriter
        answer, environ = wsgi.create(
            request, None, conn.client, conn.server, self.cfg, response_class=AnswerWriter
        )
        environ["wsgi.multithread"] = True
        if conn.may_wait:
            allow_waiting(environ)
        self.nr += 1
        if self.nr >= self.max_requests:
            self.alive = False
        parts = self.wsgi(environ, answer.start_response)
        try:
            answer.parts += parts
        finally:
            if hasattr(parts, "close"):
                parts.close()
        conn.condition = condition_to_run_again(environ)
        if conn.condition is not None:
            return b""
        conn.keep_alive = self.alive and self.cfg.keepalive and not request.should_close()
        return answer.written(keep_alive=conn.keep_alive)

    # Answering.

    def _await_next(self, conn: Connection) -> None:
        """Once the phase is set, the event loop may take the connection."""
        conn.request = None
        conn.deadline = self._until_next_request(self.cfg.keepalive)
        conn.phase = Phase.IDLE
        if not self.alive:  # the worker began to stop meanwhile, and skipped a busy connection
            conn.deadline = self._until_next_request(self.cfg.keepalive)

    def _finish(self, conn: Connection) -> None:
        """After a run: wait for a place, or send the rest."""
        if conn.condition is not None:
            conn.phase = Phase.WAITING
            if conn.deadline == NEVER:
                conn.deadline = time.monotonic() + self.deadlines.place
            self._waiting.append(conn)
        else:
            self._begin_answer(conn)
        self._run_waiting(1)

    def _run_waiting(self, most: int) -> None:
        """Rerun expired requests, and the oldest ``most`` requests that may continue.

        A finished request frees one place, so only one waiting request can use it.
        """
        for conn in list(self._waiting):
            is_late = conn.deadline <= time.monotonic()
            may_go_on = not is_late and most > 0 and conn.condition is not None and conn.condition()
            if is_late or may_go_on:
                most -= may_go_on
                self._waiting.remove(conn)
                conn.may_wait = not is_late
                self._run(conn)

    def _refuse(self, conn: Connection, error: Exception) -> None:
        _log.warning("request_refused", why=type(error).__name__)
        conn.unsent = error_bytes(error, conn.reader.request, self.wsgi)
        conn.keep_alive = False
        conn.send()
        self._begin_answer(conn)

    def _begin_answer(self, conn: Connection) -> None:
        conn.phase = Phase.ANSWERING
        conn.deadline = time.monotonic() + self.deadlines.answer
        self._after_sending(conn)

    def _after_sending(self, conn: Connection) -> None:
        if conn.unsent:
            conn.watch(selectors.EVENT_WRITE)
        elif conn.keep_alive:
            self._await_next(conn)
            self._take_request(conn)  # the next request may have arrived already
        elif conn.end_writing():
            conn.phase = Phase.CLOSING
            conn.deadline = time.monotonic() + self.deadlines.gone
            conn.watch(selectors.EVENT_READ)
        else:
            self._close(conn)

    # Closing connections.

    def _end_overdue(self) -> None:
        now = time.monotonic()
        for conn in [conn for conn in self._connections if conn.deadline <= now]:
            if conn.phase in BUSY:
                continue
            if conn.phase in INCOMPLETE and conn.reader.has_begun:
                self._refuse(conn, RequestTimeout())
            else:
                self._close(conn)

    def _bound_unsent(self) -> None:
        """Close the slowest readers while their unsent answers take too much memory."""
        unsent = {conn: len(conn.unsent) for conn in self._connections if conn.unsent}
        excess = sum(unsent.values()) - _MOST_UNSENT_BYTES
        for conn in sorted(unsent, key=lambda conn: conn.deadline):
            if excess <= 0:
                return
            if conn.phase is Phase.ANSWERING:
                excess -= unsent[conn]
                self._close(conn)

    def _make_room(self) -> None:
        """Close the connection nearest to its deadline that waits for its client."""
        waits = INCOMPLETE | {Phase.ANSWERING, Phase.CLOSING}
        found = [conn for conn in self._connections if conn.phase in waits]
        if found:
            self._close(min(found, key=lambda conn: conn.deadline))

    def _close(self, conn: Connection) -> None:
        if conn in self._connections:
            self._connections.remove(conn)
            self.nr_conns -= 1
            conn.close()
