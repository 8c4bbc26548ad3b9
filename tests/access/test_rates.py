"""Token buckets: what one lets through, over time, threads, processes and restarts."""

import errno
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from app.kernel.rates import Rate, RateBuckets, Taken
from support.polling import PATIENCE_SECONDS

SECOND = 10**9
RATE = Rate(per_second=5, burst=10)


class Monotonic:
    """The clock of the machine, which the test moves."""

    def __init__(self) -> None:
        self.now = 10**15

    def __call__(self) -> int:
        return self.now


def _let_through(buckets: RateBuckets, name: bytes = b"key", requests: int = 30) -> int:
    return sum(not buckets.take(name, RATE).is_refused for _ in range(requests))


@pytest.fixture
def clock() -> Monotonic:
    return Monotonic()


@pytest.fixture
def buckets(tmp_path: Path, clock: Monotonic) -> RateBuckets:
    return RateBuckets(tmp_path, monotonic_ns=clock)


def test_burst_then_so_many_a_second(buckets: RateBuckets, clock: Monotonic) -> None:
    """Break: leave `clock.now` out of the time at which a bucket is full."""
    assert _let_through(buckets) == 10
    clock.now += SECOND
    assert _let_through(buckets) == 5
    clock.now += 60 * SECOND
    assert _let_through(buckets) == 10


def test_each_name_has_its_own_bucket(buckets: RateBuckets) -> None:
    assert _let_through(buckets) == 10
    assert _let_through(buckets, b"another") == 10


def test_state_has_remaining_requests_and_retry_time(
    buckets: RateBuckets, clock: Monotonic
) -> None:
    first = buckets.take(b"key", RATE)
    assert first == Taken(RATE, remaining=9, full_in_seconds=0.2)
    _let_through(buckets)
    refused = buckets.take(b"key", RATE)
    assert (refused.remaining, refused.is_refused) == (0, True)
    assert refused.retry_after_seconds == pytest.approx(0.2)
    clock.now += int(0.2 * SECOND)
    assert not buckets.take(b"key", RATE).is_refused


def test_a_refused_request_does_not_delay_the_next(buckets: RateBuckets, clock: Monotonic) -> None:
    _let_through(buckets, requests=1000)
    clock.now += SECOND
    assert _let_through(buckets) == 5


def test_times_of_an_earlier_run_of_the_machine_do_not_count(
    buckets: RateBuckets, clock: Monotonic
) -> None:
    _let_through(buckets)
    clock.now = SECOND
    assert _let_through(buckets) == 10


def test_full_line_replaces_its_fullest_bucket(buckets: RateBuckets) -> None:
    """More names than the file has places: those that are forgotten begin anew, none is mixed up."""
    names = [f"key {number}".encode() for number in range(100_000)]
    for name in names:
        buckets.take(name, RATE)
    assert {buckets.take(name, RATE).remaining for name in names[-1000:]} <= {8, 9}


def test_threads_and_a_new_process_share_a_bucket(tmp_path: Path) -> None:
    """Break: map the memory privately, or leave out either lock."""
    slow, program = (
        Rate(per_second=1, burst=200),
        textwrap.dedent("""
        import sys
        from pathlib import Path
        from app.kernel.rates import Rate
        from app.kernel.rates import RateBuckets
        buckets, rate = RateBuckets(Path(sys.argv[1])), Rate(per_second=1, burst=200)
        print(sum(not buckets.take(b"key", rate).is_refused for _ in range(400)))
    """),
    )
    others = [
        subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    buckets, passed, lock = RateBuckets(tmp_path), 0, threading.Lock()

    def use() -> None:
        nonlocal passed
        mine = sum(not buckets.take(b"key", slow).is_refused for _ in range(100))
        with lock:
            passed += mine

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for other in others:
        out, _ = other.communicate(timeout=PATIENCE_SECONDS)
        passed += int(out)
    buckets.close()
    # One token a second comes in while they run.
    assert 200 <= passed <= 260

    again = RateBuckets(tmp_path)
    assert again.take(b"key", slow).remaining <= 60
    again.close()


def test_limit_applies_without_a_writable_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path / "file"))
    buckets = RateBuckets(tmp_path / "file", monotonic_ns=Monotonic())

    assert _let_through(buckets) == 10


def test_the_file_has_its_room_on_the_disk_before_it_is_mapped(
    tmp_path: Path, buckets: RateBuckets
) -> None:
    """Otherwise a write while the disk is full ends the process. Break: only set the length."""
    path = tmp_path / "rates"
    with path.open("wb") as file:
        file.truncate(2**20)  # as earlier versions left it
    path.chmod(0o600)

    assert _let_through(buckets) == 10
    found = path.stat()
    assert (found.st_size, found.st_blocks * 512 >= found.st_size) == (2**20, True)


def test_limit_applies_on_a_full_disk(
    buckets: RateBuckets, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)

    assert _let_through(buckets) == 10
