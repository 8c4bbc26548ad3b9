"""Waiting for what other processes do: by looking again and again, with a generous end."""

import time
from collections.abc import Callable

# Nothing that works waits this long, whatever else the machine does.
PATIENCE_SECONDS = 120


def eventually(happened: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    """Look until it has happened; fails when it does not."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)


def limit_here(seconds: float, ask: Callable[[], object], tries: int = 4) -> float:
    """Return a limit of time, longer by what undisturbed tries take on this machine just now."""
    began = time.monotonic()
    for _ in range(tries):
        ask()
    return seconds + 5 * (time.monotonic() - began)
