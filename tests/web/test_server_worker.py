"""The event loop's bookkeeping, without sockets: who runs again, and who is closed for memory."""

import time
from typing import Any, cast

import pytest

from app.web.server import worker as module
from app.web.server.connection import NEVER, Connection, Phase
from app.web.server.worker import BufferingWorker

MEBIBYTE = 1024 * 1024


class _Worker(BufferingWorker):
    """A worker that notes what it would run and close."""

    def __init__(self, connections: list[Connection]) -> None:
        self._connections = set(connections)
        self._waiting = list(connections)
        self.ran: list[Connection] = []
        self.closed: list[Connection] = []

    def _run(self, conn: Connection) -> None:
        self.ran.append(conn)

    def _close(self, conn: Connection) -> None:
        self.closed.append(conn)


def _connection(**fields: Any) -> Connection:
    unused = cast("Any", None)
    given = {"sock": unused, "client": unused, "server": unused, "reader": unused, "poller": unused}
    return Connection(**given | {"on_event": unused, "deadline": NEVER} | fields)


def test_request_that_ends_runs_one_of_the_waiting_ones_again() -> None:
    """Break: in `app/web/server/worker.py`, leave out `most -= may_go_on`."""
    blocked = [_connection(condition=lambda: False) for _ in range(3)]
    free = [_connection(condition=lambda: True) for _ in range(5)]
    worker = _Worker([*blocked, *free])
    worker._run_waiting(1)
    assert worker.ran == free[:1]
    assert worker._waiting == [*blocked, *free[1:]]
    worker._run_waiting(len(worker._waiting))
    assert worker.ran == free


def test_request_that_waited_too_long_runs_a_last_time_whatever_is_free() -> None:
    late = [_connection(condition=lambda: False, deadline=time.monotonic() - 1) for _ in range(3)]
    worker = _Worker(late)
    worker._run_waiting(0)
    assert worker.ran == late
    assert not any(conn.may_wait for conn in late)


def test_oldest_unread_answers_are_dropped_where_they_fill_too_much_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Break: in `app/web/server/worker.py`, leave out the call of `_close` in `_bound_unsent`."""
    monkeypatch.setattr(module, "_MOST_UNSENT_BYTES", 3 * MEBIBYTE)
    unread = bytes(MEBIBYTE)
    slow = [
        _connection(unsent=unread, phase=Phase.ANSWERING, deadline=float(place))
        for place in range(5)
    ]
    running = _connection(unsent=unread, phase=Phase.RUNNING, deadline=-1.0)
    worker = _Worker([*reversed(slow), running])
    worker._bound_unsent()
    assert worker.closed == slow[:3]
    bounded = _Worker(slow[:3])
    bounded._bound_unsent()
    assert bounded.closed == []
