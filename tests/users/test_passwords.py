"""Passwords: weak ones are refused, and a process hashes two at once and none in a transaction."""

import threading

import pytest

from app.db.engine import Database
from app.db.unavailable import holds_connection
from app.kernel.errors import RateLimited
from app.users.password_rules import mistake_in_password
from app.users.passwords import (
    HASHES_AT_ONCE,
    HashSlots,
    choose_password,
    generate_password,
    hash_password,
    is_password,
)
from support.polling import PATIENCE_SECONDS

EMAIL = "ada.lovelace@example.com"


@pytest.mark.parametrize(
    "password",
    [
        *("password1234", "Password1234!", "P@ssw0rd2026!", "passwordpassword"),
        *("letmein-2026!!", "qwertyuiop[]", "qwertyuiopasdf", "123456789012", "abcdefghijklmn"),
        *("210987654321", "1q2w3e4r5t6y", "monkeymonkey"),
    ],
)
def test_common_password_is_refused(password: str) -> None:
    """Break `_is_common` to see this fail."""
    assert "most common" in (mistake_in_password(password, EMAIL) or "")


@pytest.mark.parametrize(
    ("password", "what"),
    [
        (EMAIL, "your own address"),
        ("Ada.Lovelace-1815", "your own address"),
        ("example.com/2026", "your own address"),
        ("borderpost2026", "the product's name"),
        ("BorderPost-Console", "the product's name"),
        ("my-borderpost!!!", "the product's name"),
    ],
)
def test_password_of_the_own_address_or_the_product_is_refused(password: str, what: str) -> None:
    assert what in (mistake_in_password(password, EMAIL) or "")


def test_long_unusual_password_is_accepted() -> None:
    accepted = ["correct horse battery", "borderpost is the best gateway", "ein langer Satz, ja?"]
    accepted += [generate_password() for _ in range(50)]
    assert [one for one in accepted if mistake_in_password(one, EMAIL)] == []


def test_no_hash_is_computed_while_a_connection_is_held(database: Database) -> None:
    """Remove the check of `holds_connection` in app/users/passwords.py to see this fail."""
    lent = (database.reading, database.writing, database.writing_once, database.snapshot)
    operations = (
        lambda: hash_password("x"),
        lambda: is_password(None, "x"),
        lambda: choose_password("correct horse battery", EMAIL),
    )
    for context in lent:
        for operation in operations:
            with context(), pytest.raises(RuntimeError, match="holds a database connection"):
                operation()
    assert not holds_connection()
    assert hash_password("x")


def test_two_hashes_run_concurrently_and_an_unknown_browser_does_not_wait() -> None:
    """Raise HASHES_AT_ONCE, or let `_take` wait without `wait_seconds`, to see this fail."""
    turns, entered, leave = HashSlots(HASHES_AT_ONCE), threading.Semaphore(0), threading.Event()

    def hold() -> None:
        with turns.turn():
            entered.release()
            leave.wait(PATIENCE_SECONDS)

    threads = [threading.Thread(target=hold) for _ in range(2)]
    for thread in threads:
        thread.start()
        assert entered.acquire(timeout=PATIENCE_SECONDS)
    with pytest.raises(RateLimited), turns.turn():
        pass
    got: list[bool] = []

    def known() -> None:
        with turns.turn(PATIENCE_SECONDS):
            got.append(True)

    patient = threading.Thread(target=known)
    patient.start()
    leave.set()
    for thread in (*threads, patient):
        thread.join(PATIENCE_SECONDS)
    assert got == [True]
    with turns.turn(), turns.turn():
        pass
