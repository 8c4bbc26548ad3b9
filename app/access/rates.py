"""A token bucket per name, kept in a file that all processes of a host map into memory.

A bucket is one number, the time at which it is full again (the generic cell rate algorithm): each
request moves it on by the time of one token, and a request that would move it beyond the burst is
refused. A bucket that is full again is as good as none, so its place is free for another name.
Times are those of the machine's monotonic clock, which all processes share. A process that dies
loses its lock and nothing else; after a restart of the machine, times that lie too far ahead are of
the earlier run and do not count.
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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from app.access.key_limits import Rate

_log = structlog.get_logger(__name__)
_SECOND = 10**9
_SLOT = struct.Struct("=Qq")
_SLOTS_PER_LINE = 8
_LINES = 2**13
_LINE_BYTES = _SLOT.size * _SLOTS_PER_LINE
_FILE_BYTES = _LINE_BYTES * _LINES
_STRIPES = 64


@dataclass(frozen=True, slots=True)
class Taken:
    """The state of a bucket after a request, which was refused if it must be retried later."""

    rate: Rate
    remaining: int
    full_in_seconds: float
    retry_after_seconds: float = 0.0

    @property
    def is_refused(self) -> bool:
        """Say whether the bucket was empty."""
        return self.retry_after_seconds > 0


def take(full_at: int, rate: Rate, now: int) -> tuple[int, Taken]:
    """Take a token: return when the bucket is full again, and its state. Pure; times in ns."""
    one = _SECOND // rate.per_second
    capacity = one * rate.burst
    # Further ahead than a bucket can be: written before the machine was started again.
    behind = full_at - now if now < full_at <= now + capacity else 0
    if behind + one > capacity:
        wait = behind + one - capacity
        return full_at, Taken(rate, 0, behind / _SECOND, wait / _SECOND)
    behind += one
    return now + behind, Taken(rate, (capacity - behind) // one, behind / _SECOND)


class RateBuckets:
    """The buckets of this host; the file is opened at first use, after a fork."""

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
        """Take a token of the bucket of a name."""
        memory = self._memory or self._open()
        digest = hashlib.blake2b(name, digest_size=16).digest()
        tag = int.from_bytes(digest[:8]) or 1
        line = int.from_bytes(digest[8:]) % _LINES
        with self._locked(line):
            now = self._monotonic_ns()
            place, full_at = _find(memory, line, tag, now)
            full_at, taken = take(full_at, rate, now)
            _SLOT.pack_into(memory, place, tag, full_at)
        return taken

    def close(self) -> None:
        """Give the file back."""
        with self._opening:
            if self._memory is not None:
                self._memory.close()
            if self._file is not None:
                os.close(self._file)
            self._memory = self._file = None

    @contextmanager
    def _locked(self, line: int) -> Iterator[None]:
        """Keep the other threads, then the other processes, out of a line."""
        start = line * _LINE_BYTES
        with self._stripes[line % _STRIPES]:
            if self._file is None:
                yield
                return
            fcntl.lockf(self._file, fcntl.LOCK_EX, _LINE_BYTES, start)
            try:
                yield
            finally:
                fcntl.lockf(self._file, fcntl.LOCK_UN, _LINE_BYTES, start)

    def _open(self) -> mmap.mmap:
        with self._opening:
            if self._memory is None:
                self._file = _open_file(self._folder)
                self._memory = mmap.mmap(-1 if self._file is None else self._file, _FILE_BYTES)
            return self._memory


def _find(memory: mmap.mmap, line: int, tag: int, now: int) -> tuple[int, int]:
    """Return the place of a name's bucket, and when it is full; 0 for a bucket that is new.

    A line that is full of others' buckets gives up the one that is fullest.
    """
    places = range(line * _LINE_BYTES, (line + 1) * _LINE_BYTES, _SLOT.size)
    stored = [(place, *_SLOT.unpack_from(memory, place)) for place in places]
    for place, owner, full_at in stored:
        if owner == tag:
            return place, full_at
    return min(stored, key=lambda slot: max(slot[2], now))[0], 0


def _open_file(folder: Path) -> int | None:
    """Open the file in the instance folder, or where that cannot be written, a temporary one."""
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
    except OSError:
        os.close(file)
        raise
    return file


def whole_seconds(seconds: float) -> int:
    """Round up to whole seconds, at least one."""
    return max(1, math.ceil(seconds))
