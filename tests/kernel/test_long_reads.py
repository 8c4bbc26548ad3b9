"""Python's threads take short turns while a long read runs."""

import sys
from collections.abc import Iterator

import pytest

from app.kernel.concurrency import LongReads
from app.kernel.errors import RateLimited

_USUAL = 0.02


@pytest.fixture(autouse=True)
def _own_interval() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(_USUAL)
    yield
    sys.setswitchinterval(before)


def test_turns_are_short_until_the_last_read_ends() -> None:
    """Break: restore the interval when the first of two ends; set it without counting."""
    reads = LongReads("test", 2, "Too many.")
    with reads.slot():
        with reads.slot(), pytest.raises(RateLimited), reads.slot():
            pass
        assert sys.getswitchinterval() == pytest.approx(0.001)
    assert sys.getswitchinterval() == pytest.approx(_USUAL)


def test_a_failed_read_restores_the_interval() -> None:
    """Break: restore it without `finally`."""
    reads = LongReads("test", 1, "Too many.")
    for _ in range(2):
        with pytest.raises(ValueError, match="failed"), reads.slot():
            raise ValueError("failed")
        assert sys.getswitchinterval() == pytest.approx(_USUAL)
