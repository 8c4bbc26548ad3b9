"""Writes of many threads that share a transaction on SQLite."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from sqlalchemy import Connection, event

from app.db import engine, group_commit
from app.db.engine import Database
from app.kernel import locks
from app.kernel.errors import ServiceUnavailable
from support.polling import PATIENCE_SECONDS, eventually

pytestmark = pytest.mark.one_engine


class Writers:
    """Threads that write one line each into a table, and what happened in which order."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.database = Database(f"sqlite:///{path}", pool_size=32)
        self.happened: list[str] = []
        self.problems: dict[str, BaseException] = {}
        self._threads: list[threading.Thread] = []
        self._go_on = threading.Event()
        with self.database.writing() as connection:
            connection.exec_driver_sql(
                "CREATE TABLE lines (place integer PRIMARY KEY, line text UNIQUE)"
            )
        event.listen(self.database.engine, "commit", self._committed)

    def _committed(self, _connection: Connection) -> None:
        self.happened.append("commit")

    @property
    def waiting(self) -> int:
        return len(self.database._group._waiting)

    def hold(self, line: str = "first") -> None:
        """Let a write have its turn until `finish`."""

        def wait(_connection: Connection) -> None:
            self.happened.append(f"{line} has its turn")
            assert self._go_on.wait(PATIENCE_SECONDS)

        self._start(line, wait, self.database.writing_once)
        eventually(lambda: f"{line} has its turn" in self.happened)

    def queue(
        self,
        line: str,
        then: Callable[[Connection], object] = lambda _connection: None,
        *,
        alone: bool = False,
    ) -> None:
        """Start a write that waits behind all others."""
        behind = self.waiting
        self._start(line, then, self.database.writing if alone else self.database.writing_once)
        eventually(lambda: self.waiting == behind + 1)

    def _start(
        self,
        line: str,
        then: Callable[[Connection], object],
        lend: Callable[[], AbstractContextManager[Connection]],
    ) -> None:
        def write() -> None:
            try:
                with lend() as connection:
                    connection.exec_driver_sql("INSERT INTO lines (line) VALUES (?)", (line,))
                    then(connection)
            except BaseException as problem:  # noqa: BLE001 (each test looks at it)
                self.problems[line] = problem
            self.happened.append(f"{line} returns")

        self._threads.append(threading.Thread(target=write, daemon=True))
        self._threads[-1].start()

    def finish(self) -> None:
        self._go_on.set()
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)
        assert not any(thread.is_alive() for thread in self._threads)

    def lines(self) -> list[str]:
        with self.database.reading() as connection:
            rows = connection.exec_driver_sql("SELECT line FROM lines ORDER BY place")
            return [str(line) for line in rows.scalars()]

    def is_free(self) -> bool:
        """Whether another write is stored."""
        with self.database.writing_once() as connection:
            connection.exec_driver_sql("INSERT INTO lines (line) VALUES ('later')")
        return "later" in self.lines()


class Called:
    """A lock on which the wait ends, or is interrupted, just after the turn has come."""

    def __init__(self, problem: BaseException | None = None) -> None:
        self._problem = problem
        self._is_called = threading.Event()

    def acquire(self, timeout: float = 0) -> bool:
        assert self._is_called.wait(PATIENCE_SECONDS)
        if self._problem is not None and timeout:
            raise self._problem
        return False

    def release(self) -> None:
        self._is_called.set()


@pytest.fixture
def writers(tmp_path: Path) -> Iterator[Writers]:
    found = Writers(tmp_path / "lines.db")
    yield found
    found.finish()
    found.database.close()


def fail(problem: BaseException) -> Callable[[Connection], None]:
    def then(_connection: Connection) -> None:
        raise problem

    return then


def test_writes_that_wait_share_one_commit_in_the_order_of_arrival(writers: Writers) -> None:
    """Break: in `FairLock.release`, never call the next thread."""
    writers.hold()
    for line in "abcde":
        writers.queue(line)
    writers.finish()
    assert writers.happened[:2] == ["first has its turn", "commit"]
    assert writers.happened.count("commit") == 1
    assert writers.lines() == ["first", *"abcde"]
    assert writers.problems == {}


def test_a_failing_write_leaves_nothing_and_the_others_are_stored(writers: Writers) -> None:
    """Break: leave `_UNDO` out."""
    writers.hold()
    own, broken = RuntimeError(), KeyboardInterrupt()
    writers.queue("a")
    writers.queue("b", fail(own))
    writers.queue("a")  # breaks the rule of the table
    writers.queue("c", fail(broken))
    writers.queue("d")
    writers.finish()
    assert writers.lines() == ["first", "a", "d"]
    assert writers.happened.count("commit") == 1
    # An error may come from a write that is not committed yet, so it waits for the commit, too.
    assert writers.happened[1] == "commit"
    assert {line: type(problem).__name__ for line, problem in writers.problems.items()} == {
        "a": "IntegrityError",
        "b": "RuntimeError",
        "c": "KeyboardInterrupt",
    }


@pytest.mark.parametrize("last", [None, RuntimeError(), SystemExit()])
def test_the_first_and_the_last_write_may_fail(
    writers: Writers, last: BaseException | None
) -> None:
    writers.hold()
    writers.queue("a")
    writers.queue("b", (lambda _: None) if last is None else fail(last))
    writers.finish()
    assert writers.lines() == ["first", "a", *([] if last else ["b"])]
    assert writers.problems == ({} if last is None else {"b": last})
    assert writers.is_free()


def test_a_failed_commit_fails_every_write_of_the_batch(writers: Writers) -> None:
    """Break: in `sharing`, do not look at `batch.problem`."""
    with writers.database.writing() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE later_checked (place integer REFERENCES lines (place)"
            " DEFERRABLE INITIALLY DEFERRED)"
        )
    writers.hold()
    writers.queue("a", lambda c: c.exec_driver_sql("INSERT INTO later_checked VALUES (4711)"))
    writers.queue("b", fail(RuntimeError()))
    writers.queue("c")
    writers.finish()
    assert writers.lines() == []
    assert writers.problems.keys() == {"first", "a", "b", "c"}
    assert all(isinstance(one, ServiceUnavailable) for one in writers.problems.values())
    assert writers.is_free()


def test_no_write_is_lost_silently_when_sqlite_rolls_the_transaction_back(
    writers: Writers,
) -> None:
    """As SQLite does by itself if the disk is full.

    Break: in `_or_fail`, keep no problem.
    """
    writers.hold()
    writers.queue("a", lambda c: c.exec_driver_sql("ROLLBACK"))
    writers.queue("b")
    writers.finish()
    assert writers.lines() == ["b"]
    assert all(isinstance(writers.problems[line], ServiceUnavailable) for line in ("first", "a"))
    assert writers.problems.keys() == {"first", "a"}


def test_an_interrupted_commit_wakes_every_write(writers: Writers) -> None:
    interrupted = KeyboardInterrupt()

    def interrupt(_connection: Connection) -> None:
        event.remove(writers.database.engine, "commit", interrupt)
        raise interrupted

    event.listen(writers.database.engine, "commit", interrupt)
    writers.hold()
    writers.queue("a")
    writers.queue("b")
    writers.finish()
    assert writers.lines() == []
    assert writers.problems["b"] is interrupted
    assert all(isinstance(writers.problems[line], ServiceUnavailable) for line in ("first", "a"))
    assert writers.is_free()


def test_a_batch_is_bounded(writers: Writers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "MOST_WRITES", 3)
    writers.hold()
    for line in "abcdef":
        writers.queue(line)
    writers.finish()
    assert writers.happened.count("commit") == 3
    assert writers.lines() == ["first", *"abcdef"]


def test_a_whole_transaction_shares_with_nobody_and_keeps_its_place(writers: Writers) -> None:
    """Break: in `pass_to_sharing`, call a writer that does not share."""
    seen: list[list[str]] = []
    writers.hold()
    writers.queue("a")
    writers.queue("alone", lambda _: seen.append(writers.lines()), alone=True)
    writers.queue("b")
    writers.queue("c")
    writers.finish()
    assert seen == [["first", "a"]]  # another connection reads only what is committed
    assert writers.lines() == ["first", "a", "alone", "b", "c"]
    assert writers.happened.count("commit") == 3


def test_a_write_that_waits_too_long_is_turned_away(
    writers: Writers, monkeypatch: pytest.MonkeyPatch
) -> None:
    writers.hold()
    with monkeypatch.context() as patched:
        patched.setattr(engine, "_WAIT_SECONDS", 0.01)
        for lend in (writers.database.writing, writers.database.writing_once):
            with pytest.raises(ServiceUnavailable), lend():
                raise AssertionError
    assert writers.waiting == 0
    writers.queue("a")
    writers.finish()
    assert writers.lines() == ["first", "a"]


def test_a_write_whose_turn_comes_as_its_wait_ends_is_made(
    writers: Writers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Break: in `FairLock.acquire`, return False without asking `_has_left`."""
    writers.hold()
    with monkeypatch.context() as patched:
        patched.setattr(locks, "taken_lock", Called)
        writers.queue("a")
    writers.finish()
    assert writers.problems == {}
    assert writers.lines() == ["first", "a"]


def test_a_write_interrupted_in_the_queue_passes_its_turn_on(
    writers: Writers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Break: in `FairLock.acquire`, do not release after an interruption."""
    interrupted = KeyboardInterrupt()

    writers.hold()
    with monkeypatch.context() as patched:
        patched.setattr(locks, "taken_lock", lambda: Called(interrupted))
        writers.queue("a")
    writers.finish()
    assert writers.problems == {"a": interrupted}
    assert writers.lines() == ["first"]
    assert writers.is_free()


def test_a_write_interrupted_before_the_commit_keeps_nobody_waiting(
    writers: Writers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Break: in `await_end`, only raise."""
    interrupted = KeyboardInterrupt()

    class Lock:
        def __init__(self) -> None:
            self._lock = threading.Lock()
            self._lock.acquire()

        def acquire(self, timeout: float | None = None) -> bool:
            if timeout is None:
                raise interrupted
            return self._lock.acquire(timeout=timeout)

        def release(self) -> None:
            self._lock.release()

    def wait_and_patch(_connection: Connection) -> None:
        patched.setattr(group_commit, "taken_lock", Lock)

    writers.hold()
    with monkeypatch.context() as patched:
        writers.queue("a", wait_and_patch)
        writers.queue("b", lambda _: patched.undo())
        writers.queue("c")
        writers.finish()
    assert writers.problems == {"a": interrupted}
    assert writers.lines() == ["first", "a", "b", "c"]


def test_another_process_that_writes_for_long_turns_all_away_and_nothing_is_stored(
    writers: Writers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_WAIT_SECONDS", 0.05)
    other = sqlite3.connect(writers.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    failed: list[Exception] = []

    def write() -> None:
        try:
            with writers.database.writing_once() as connection:
                connection.exec_driver_sql("INSERT INTO lines (line) VALUES ('never')")
        except ServiceUnavailable as problem:
            failed.append(problem)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    other.execute("COMMIT")
    other.close()
    monkeypatch.undo()
    assert len(failed) == 4
    assert writers.lines() == []
    assert writers.is_free()


def test_a_forked_process_begins_with_a_free_turn(writers: Writers) -> None:
    writers.hold()
    before = writers.database.engine
    writers.database._owner += 1  # as it looks from a child of the process that made it
    assert writers.database.engine is not before
    assert writers.database._group._is_taken is False
    writers.finish()
    before.dispose()


def test_no_write_of_many_threads_is_lost_or_counted_twice(tmp_path: Path) -> None:
    """Break: in `sharing`, do not wait for the end."""
    database = Database(f"sqlite:///{tmp_path / 'count.db'}", pool_size=4)
    with database.writing() as connection:
        connection.exec_driver_sql("CREATE TABLE count (value integer)")
        connection.exec_driver_sql("INSERT INTO count VALUES (0)")
    succeeded: list[int] = []

    def add(thread: int) -> None:
        for number in range(30):
            lend = database.writing if (thread + number) % 7 == 0 else database.writing_once
            fails = (thread * number) % 5 == 1
            try:
                with lend() as connection:
                    now = connection.exec_driver_sql("SELECT value FROM count").scalar_one()
                    connection.exec_driver_sql("UPDATE count SET value = ?", (now + 1,))
                    if fails:
                        fail(RuntimeError())(connection)
            except RuntimeError:
                continue
            with database.reading() as connection:
                seen = connection.exec_driver_sql("SELECT value FROM count").scalar_one()
            assert seen > now
            succeeded.append(now)

    threads = [threading.Thread(target=add, args=(thread,)) for thread in range(12)]
    for started in threads:
        started.start()
    for started in threads:
        started.join(PATIENCE_SECONDS)
    assert sorted(succeeded) == list(range(len(succeeded)))
    assert len(succeeded) > 200
    database.close()
