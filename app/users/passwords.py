"""Password hashing with argon2id.

A hash costs 64 MiB and tens of milliseconds, so a process computes at most two at once, and none
while its thread holds a database connection.
"""

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.db.unavailable import holds_connection
from app.kernel.errors import Quota, RateLimited
from app.users.password_rules import mistake_in_password

HASHES_AT_ONCE = 2
# How long a signed-in user or a known browser waits for a turn.
MOST_WAIT_SECONDS = 5.0
_MOST_WAITING = 8
_GENERATED_BYTES = 15
_BUSY = "Too many passwords are being checked at once. Try again in a moment."
_hasher = PasswordHasher()


class HashSlots:
    """Limits concurrent hashes; callers that may wait go first."""

    def __init__(self, at_once: int) -> None:
        self._at_once = self._free = at_once
        self._waiting = 0
        self._changed = threading.Condition()

    @contextmanager
    def turn(self, wait_seconds: float = 0.0) -> Iterator[None]:
        """Raises `RateLimited` if no turn is free within this time."""
        self._take(wait_seconds)
        try:
            yield
        finally:
            with self._changed:
                self._free += 1
                self._changed.notify()

    def _busy(self) -> RateLimited:
        return RateLimited(Quota("passwords", self._at_once), _BUSY)

    def _take(self, wait_seconds: float) -> None:
        with self._changed:
            may_wait = wait_seconds > 0 and self._waiting < _MOST_WAITING
            if (self._free == 0 or self._waiting > 0) and not may_wait:
                raise self._busy()
            self._waiting += 1
            try:
                if not self._changed.wait_for(lambda: self._free > 0, wait_seconds):
                    raise self._busy()
                self._free -= 1
            finally:
                self._waiting -= 1


_slots = HashSlots(HASHES_AT_ONCE)
_own = threading.local()


@dataclass(frozen=True, slots=True)
class NewPassword:
    hash: str = field(repr=False)
    mistake: str | None = None


def choose_password(password: str, email: str) -> NewPassword:
    mistake = mistake_in_password(password, email)
    return NewPassword("", mistake) if mistake else NewPassword(hash_password(password))


def generate_password() -> str:
    return secrets.token_urlsafe(_GENERATED_BYTES)


def hash_password(password: str) -> str:
    with _turn():
        return _hasher.hash(password)


def is_password(stored: str | None, given: str) -> bool:
    """Takes as long without a stored hash."""
    with _turn():
        try:
            _hasher.verify(stored or _nobodys(), given)
        except (VerificationError, InvalidHashError):
            return False
        return stored is not None


def needs_new_hash(stored: str) -> bool:
    return _hasher.check_needs_rehash(stored)


@contextmanager
def hash_slot(*, may_wait: bool = True) -> Iterator[None]:
    """Take a turn for all hashes that this thread computes inside; raises `RateLimited`."""
    with _slots.turn(MOST_WAIT_SECONDS if may_wait else 0.0):
        _own.has_turn = True
        try:
            yield
        finally:
            _own.has_turn = False


@contextmanager
def _turn() -> Iterator[None]:
    if holds_connection():
        raise RuntimeError("a password is hashed while its thread holds a database connection")
    if getattr(_own, "has_turn", False):
        yield
    else:
        with hash_slot():
            yield


@cache
def _nobodys() -> str:
    return _hasher.hash(secrets.token_urlsafe(_GENERATED_BYTES))
