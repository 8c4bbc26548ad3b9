"""How a request that must wait gives its thread back: the web server runs it again later.

The server keeps the whole request, so a view that cannot go on yet returns, and is called once more
when its condition holds or its time is over. Under another server, nothing waits.
"""

from collections.abc import Callable
from typing import Any

_MAY_WAIT = "borderpost.may_wait"
_RUN_AGAIN_WHEN = "borderpost.run_again_when"


def allow_waiting(environ: dict[str, Any]) -> None:
    """Let this run of a request end without an answer; called by the server."""
    environ[_MAY_WAIT] = True


def may_wait(environ: dict[str, Any]) -> bool:
    """Say whether the server runs this request again where it asks for that."""
    return _MAY_WAIT in environ


def run_again_when(environ: dict[str, Any], condition: Callable[[], bool]) -> None:
    """Ask the server to drop the answer of this run and to run the request again.

    The condition is asked often, on the thread of the event loop: it must not block.
    """
    environ[_RUN_AGAIN_WHEN] = condition


def condition_to_run_again(environ: dict[str, Any]) -> Callable[[], bool] | None:
    """Return the condition to wait for, or None where the answer is final."""
    return environ.get(_RUN_AGAIN_WHEN)
