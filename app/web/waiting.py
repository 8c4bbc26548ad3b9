"""Lets a request that must wait give its thread back; the web server runs it again.

The view returns, and is called again when its condition holds or its time is over. Only our server
supports it.
"""

from collections.abc import Callable
from typing import Any

_MAY_WAIT = "borderpost.may_wait"
_RUN_AGAIN_WHEN = "borderpost.run_again_when"


def allow_waiting(environ: dict[str, Any]) -> None:
    """Mark a run of a request as repeatable; called by the server."""
    environ[_MAY_WAIT] = True


def may_wait(environ: dict[str, Any]) -> bool:
    return _MAY_WAIT in environ


def run_again_when(environ: dict[str, Any], condition: Callable[[], bool]) -> None:
    """The condition is called often in the event loop, so it must not block."""
    environ[_RUN_AGAIN_WHEN] = condition


def condition_to_run_again(environ: dict[str, Any]) -> Callable[[], bool] | None:
    """Return the condition to wait for; None if the answer is final."""
    return environ.get(_RUN_AGAIN_WHEN)
