"""Token buckets by name, in a file that all processes of a host map into memory.

A bucket is the time at which it is full again (generic cell rate algorithm), on the machine's
monotonic clock: a request moves it forward by one token, and is refused above the burst.
"""

import fcntl
import hashlib
import math
import mmap
import os
import struct
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import structlog

MOST_PER_SECOND = 1_000_000
MOST_BURST = 1_000_000
_log = structlog.get_logger(__name__)
_SECOND = 10**9
_SLOT = struct.Struct("=Qq")
_SLOTS_PER_LINE = 8
_LINE = struct.Struct("=" + "Qq" * _SLOTS_PER_LINE)
_LINES = 2**13
_FILE_BYTES = _LINE.size * _LINES
_STRIPES = 64


@dataclass(frozen=True, slots=True)
class Rate:
    """Requests per second, and at once after a pause."""

    per_second: int = 100
    burst: int = 200


DEFAULT_RATE = Rate()


def rate_of(per_second: int | None = None, burst: int | None = None) -> Rate:
    """The default burst is twice the requests per second."""
    seconds = DEFAULT_RATE.per_second if per_second is None else per_second
    return Rate(seconds, min(2 * seconds, MOST_BURST) if burst is None else burst)


def slower(one: Rate, other: Rate) -> Rate:
    return Rate(min(one.per_second, other.per_second), min(one.burst, other.burst))


@dataclass(frozen=True, slots=True)
class Taken:
    """The bucket after a request, which was refused if `retry_after_seconds` is set."""

    rate: Rate
    remaining: int
    full_in_seconds: float
    retry_after_seconds: float = 0.0

    @property
    def is_refused(self) -> bool:
        return self.retry_after_seconds > 0


def take(full_at: int, rate: Rate, now: int) -> tuple[int, Taken]:
    """Return when the bucket is full again, and its state. Pure; times in ns."""
    one = _SECOND // rate.per_second
    capacity = one * rate.burst
    # Too far in the future for a bucket: written before a restart of the machine.
    behind = full_at - now if now < full_at <= now + capacity else 0
    if behind + one > capacity:
        wait = behind + one - capacity
        return full_at, Taken(rate, 0, behind / _SECOND, wait / _SECOND)
    behind += one
    return now + behind, Taken(rate, (capacity - behind) // one, behind / _SECOND)


class RateBuckets:
    """The buckets of this host; the file is opened after a fork."""

    def __init__(
        self, folder: Path, *, monotonic_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._folder = folder
        self._monotonic_ns = monotonic_ns
        self._opening = threading.Lock()
        self._stripes = [threading.Lock() for _ in range(_STRIPES)]
        self._file: int | None = None
        self._memory: mmap.mmap | None = None

    def take(self, name: bytes, rate: Rate) -> Taken:
        memory = self._memory or self._open()
        tag, line = _place_of(name)
        start, file = line * _LINE.size, self._file
        # First the lock between threads, then the one between processes.
        with self._stripes[line % _STRIPES]:
            if file is not None:
                fcntl.lockf(file, fcntl.LOCK_EX, _LINE.size, start)
            try:
                now = self._monotonic_ns()
                slot, full_at = _find(_LINE.unpack_from(memory, start), tag, now)
                full_at, taken = take(full_at, rate, now)
                _SLOT.pack_into(memory, start + slot * _SLOT.size, tag, full_at)
            finally:
                if file is not None:
                    fcntl.lockf(file, fcntl.LOCK_UN, _LINE.size, start)
        return taken

    def close(self) -> None:
        with self._opening:
            if self._memory is not None:
                self._memory.close()
            if self._file is not None:
                os.close(self._file)
            self._memory = self._file = None

    def _open(self) -> mmap.mmap:
        with self._opening:
            if self._memory is None:
                self._file = _open_file(self._folder)
                self._memory = mmap.mmap(-1 if self._file is None else self._file, _FILE_BYTES)
            return self._memory


@lru_cache(maxsize=4096)
def _place_of(name: bytes) -> tuple[int, int]:
    digest = hashlib.blake2b(name, digest_size=16).digest()
    return int.from_bytes(digest[:8]) or 1, int.from_bytes(digest[8:]) % _LINES


def _find(line: tuple[int, ...], tag: int, now: int) -> tuple[int, int]:
    """Return the slot of a bucket in its line, and when it is full (0 for a new one).

    A full line replaces its fullest bucket.
    """
    tags, full = line[::2], line[1::2]
    if tag in tags:
        slot = tags.index(tag)
        return slot, full[slot]
    return min(range(_SLOTS_PER_LINE), key=lambda slot: max(full[slot], now)), 0


def _open_file(folder: Path) -> int | None:
    """Uses a temporary file if the folder is not writable."""
    path = folder.absolute()
    name = hashlib.sha256(f"{os.getuid()}:{path}".encode()).hexdigest()[:16]
    for one in (path / "rates", Path(tempfile.gettempdir()) / f"borderpost-rates-{name}"):
        try:
            return _open_private(one)
        except OSError as problem:
            _log.warning("rates_not_shared_here", path=str(one), why=problem.strerror)
    return None


def _open_private(path: Path) -> int:
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        if os.fstat(file).st_uid != os.getuid():
            raise PermissionError(1, "belongs to another user")
        if os.fstat(file).st_size != _FILE_BYTES:
            os.ftruncate(file, _FILE_BYTES)
        # A write to a page without room on the disk would end the process (SIGBUS).
        os.posix_fallocate(file, 0, _FILE_BYTES)
    except OSError:
        os.close(file)
        raise
    return file


def whole_seconds(seconds: float) -> int:
    return max(1, math.ceil(seconds))
