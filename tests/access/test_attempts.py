"""Limits of failed attempts: pure rules, and the counts that all processes share."""

import threading
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from app.access.attempt_limits import LIMITS, AttemptKind, Limit, Subject, block_of
from app.access.attempts import Attempts, forget_attempts, forget_expired_attempts, withdraw
from app.access.tables import failed_attempts
from app.db.engine import Database
from app.kernel.clock import Clock, host_now
from app.kernel.errors import RateLimited
from app.kernel.ids import new_id
from app.users.caller import KNOWN_FOR, KnownBrowserCookie
from app.web.requests import address_group
from support.factories import Factory
from support.time import ManualClock

ACCOUNT = Subject(AttemptKind.ACCOUNT, "ada@example.com")


def test_each_window_rolls() -> None:
    limits = (Limit(2, 60), Limit(3, 3600))
    cases = [((), 0), ((0,), 0), ((0, 1000), 60_000), ((0, 50_000, 70_000), 3_600_000)]
    blocks = [block_of(times, limits) for times, _ in cases]
    assert [block.until if block else 0 for block in blocks] == [end for _, end in cases]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("local", "local", True),
    ],
)
def test_addresses_of_one_subscriber_are_counted_together(one: str, other: str, same: bool) -> None:
    assert (address_group(one) == address_group(other)) is same


def test_attempts_of_two_processes_are_counted_together(
    database: Database, database_url: str
) -> None:
    """Skip the second `_check` in `Attempts.begin` to see this fail."""
    clock = ManualClock().clock()
    other = Database(database_url, pool_size=8)
    allowed: list[int] = []

    def attempt(one: Database) -> None:
        with suppress(RateLimited):
            allowed.append(Attempts(one, clock).begin(ACCOUNT).at)

    threads = [threading.Thread(target=attempt, args=(one,)) for one in (database, other) * 8]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()
    assert len(allowed) == LIMITS[AttemptKind.ACCOUNT][0].failures


def test_right_attempts_are_withdrawn_and_old_ones_expire(factory: Factory) -> None:
    time = ManualClock()
    attempts = Attempts(factory.database, time.clock())
    for _ in range(30):
        attempt = attempts.begin(ACCOUNT)
        with factory.database.writing() as connection:
            withdraw(connection, attempt)
    for _ in range(5):
        attempts.begin(ACCOUNT)
    with pytest.raises(RateLimited) as refused:
        attempts.begin(ACCOUNT)
    assert refused.value.retry_after_seconds == 60
    with factory.database.writing() as connection:
        forget_attempts(connection, ACCOUNT)
    attempts.begin(ACCOUNT)
    time.advance(86_399)
    with factory.database.writing() as connection:
        forget_expired_attempts(connection, time.at)
    assert len(factory.rows(failed_attempts)) == 1
    time.advance(1)
    with factory.database.writing() as connection:
        forget_expired_attempts(connection, time.at)
    assert factory.rows(failed_attempts) == []


def test_a_host_clock_that_is_wrong_counts_for_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Break: in `Attempts.begin`, read the clock before `self.database.writing()`."""
    attempts, right, far = Attempts(database, Clock()), host_now, timedelta(days=40)
    for ahead in (far, -far):
        monkeypatch.setattr("app.kernel.clock.host_now", lambda ahead=ahead: right() + ahead)
        monkeypatch.setattr("app.db.clock.host_now", lambda ahead=ahead: right() + ahead)
        attempt = attempts.begin(ACCOUNT)
        assert abs(attempt.at - right().timestamp() * 1000) < 60_000
    monkeypatch.undo()
    slots = failed_attempts.c.slot == ACCOUNT.slot
    future = round((right() + far).timestamp() * 1000)
    with database.writing() as connection:
        connection.execute(update(failed_attempts).where(slots).values(times=[future] * 60))
    for _ in range(LIMITS[AttemptKind.ACCOUNT][0].failures):
        attempts.begin(ACCOUNT)
    with pytest.raises(RateLimited) as refused:
        attempts.begin(ACCOUNT)
    assert (refused.value.retry_after_seconds or 0) <= 60


def test_slots_bound_the_rows_and_kinds_do_not_share_them() -> None:
    slots = {Subject(kind, f"name {n}").slot for kind in AttemptKind for n in range(100)}
    assert len(slots) > 490
    assert all(int(slot.partition(":")[2]) < 2**18 and len(slot) <= 24 for slot in slots)


def test_known_browser_is_signed_bound_to_its_user_and_ends(tmp_path: Path) -> None:
    time, ada, bo = ManualClock(), new_id(), new_id()
    cookie = KnownBrowserCookie("0123456789abcdef" * 2)
    written = cookie.write(cookie.read(None).after_sign_in(ada, time.at))
    known = cookie.read(written)
    assert (known.knows(ada, None, time.at), known.knows(bo, None, time.at)) == (True, False)
    for forged in ("", "x", written[:-2], "{}." + written.partition(".")[2], None):
        assert not cookie.read(forged).knows(ada, None, time.at), forged
    assert not KnownBrowserCookie("t" * 32).read(written).knows(ada, None, time.at)
    rotated = cookie.read(cookie.write(known.after_sign_in(bo, time.at)))
    assert rotated.browser_id == known.browser_id
    assert rotated.knows(ada, None, time.at)
    time.advance(1)
    assert not known.knows(ada, time.at, time.at)
    time.advance(KNOWN_FOR.total_seconds())
    assert not known.knows(ada, None, time.at)
