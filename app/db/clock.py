"""The clock of the database, on which all hosts agree.

Each new connection measures how far the host is ahead, and a pooled one after the clock was set;
`app.kernel.clock` corrects the time. On SQLite both are the machine's.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol

from sqlalchemy import Engine, event

from app.kernel.clock import clock_skew, host_now, is_measured, set_reference_time

LARGEST_SKEW = timedelta(seconds=60)
_SQLITE_TIME = "SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
_POSTGRES_TIME = "SELECT clock_timestamp()"


class ClocksDiffer(Exception):
    """The clocks of host and database differ too much to delete by time."""

    def __init__(self, skew: timedelta) -> None:
        self.skew = skew
        side = "ahead of" if skew > timedelta(0) else "behind"
        super().__init__(
            f"the clock of this host is {abs(skew.total_seconds()):.0f} s {side} the clock of the "
            f"database: with more than {LARGEST_SKEW.total_seconds():.0f} s nothing is deleted and "
            "no table is changed; correct the clock that is wrong (NTP)"
        )


class _Measurable(Protocol):
    def measure_clock(self) -> timedelta:
        """Return how far this host's clock is ahead of the database's."""


def require_same_time(database: _Measurable) -> None:
    """Raises `ClocksDiffer` if the clocks differ by more than a minute."""
    skew = database.measure_clock()
    if abs(skew) > LARGEST_SKEW:
        raise ClocksDiffer(skew)


def is_same_time() -> bool:
    skew = clock_skew()
    return skew is None or abs(skew) <= LARGEST_SKEW


def measure(ask: Callable[[str], Any], *, is_sqlite: bool) -> timedelta:
    """``ask`` runs SQL and returns one value."""
    asked_at = host_now()
    found = ask(_SQLITE_TIME if is_sqlite else _POSTGRES_TIME)
    answered_at = host_now()
    reference = datetime.fromisoformat(found) if isinstance(found, str) else found
    set_reference_time(asked_at, reference, answered_at)
    return clock_skew() or timedelta(0)


def measure_by_connections(engine: Engine) -> None:
    """Measure at each new connection, and at checkout if needed."""
    is_sqlite = engine.dialect.name == "sqlite"
    ask_driver = _ask_sqlite if is_sqlite else _ask_postgres

    def connected(driver: Any, *_: object) -> None:
        measure(partial(ask_driver, driver), is_sqlite=is_sqlite)

    def checked_out(driver: Any, *_: object) -> None:
        if not is_measured():
            connected(driver)

    event.listen(engine, "connect", connected)
    event.listen(engine, "checkout", checked_out)


def _ask_sqlite(driver: Any, statement: str) -> Any:
    return driver.execute(statement).fetchone()[0]


def _ask_postgres(driver: Any, statement: str) -> Any:
    autocommit, driver.autocommit = driver.autocommit, True
    try:
        # A pooler in transaction mode may give a prepared statement to another server.
        return driver.execute(statement, prepare=False).fetchone()[0]
    finally:
        if not driver.closed:
            driver.autocommit = autocommit
