"""Waiting for what other processes do: by looking again and again, with a generous end."""

import time
from collections.abc import Callable

POLLING_SECONDS = 60.0


def eventually(happened: Callable[[], bool], seconds: float = POLLING_SECONDS) -> None:
    """Look until it has happened; fails when it does not."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)
