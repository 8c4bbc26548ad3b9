"""How a write on SQLite waits for other processes."""

import sqlite3

from app.db import sqlite


class BusyDriver:
    """A connection whose file another process leaves free for a moment at one of many looks."""

    def __init__(self, free_at_look: int, code: int = sqlite3.SQLITE_BUSY) -> None:
        self.looks = 0
        self.longest_wait = 0
        self._free_at_look = free_at_look
        self._code = code

    def execute(self, statement: str) -> "BusyDriver":
        if statement.startswith("PRAGMA busy_timeout="):
            self.longest_wait = max(self.longest_wait, int(statement.partition("=")[2]))
            return self
        assert statement == "BEGIN IMMEDIATE"
        self.looks += 1
        if self.looks < self._free_at_look:
            problem = sqlite3.OperationalError("database is locked")
            problem.sqlite_errorcode = self._code
            raise problem
        return self

    def close(self) -> None:
        """Cursors are closed at once."""


def test_a_write_looks_often_for_a_moment_in_which_the_file_is_free() -> None:
    """Break: let SQLite wait for the whole time; it then looks about 25 times in two seconds."""
    driver = BusyDriver(free_at_look=60)
    assert sqlite._begin_soon(driver, 3600)
    assert driver.looks == 60
    assert driver.longest_wait <= 10


def test_another_error_is_raised_without_further_looks() -> None:
    driver = BusyDriver(free_at_look=60, code=sqlite3.SQLITE_READONLY)
    assert not sqlite._begin_soon(driver, 3600)
    assert driver.looks == 1


def test_a_write_without_time_left_does_not_wait() -> None:
    """Break: always let SQLite wait for `_LOOK_SECONDS`."""
    driver = BusyDriver(free_at_look=2)
    assert not sqlite._begin_soon(driver, 0)
    assert (driver.looks, driver.longest_wait) == (0, 0)
