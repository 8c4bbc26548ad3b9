"""The warning at start: where Twilio and the policies disagree, said once in the log.

Runs beside serving and never gets in its way: whatever goes wrong ends as a log line.
"""

import threading

import structlog
from flask import Flask

from app.destinations.provider_check import Checked, CheckProvider
from app.kernel.errors import ServiceUnavailable
from app.web.wiring import service

_log = structlog.get_logger(__name__)


def check_beside_serving(app: Flask) -> threading.Thread:
    """Start the check in a thread that ends with the process, and return the thread."""
    thread = threading.Thread(target=_check, args=(app,), name="start-check", daemon=True)
    try:
        thread.start()
    except RuntimeError:
        _log.warning("geo_permissions_unknown", why="no thread can be started")
    return thread


def _check(app: Flask) -> None:
    try:
        with app.app_context():
            checked = service(CheckProvider)()
        for one in checked:
            _tell(one)
    except ServiceUnavailable:
        _log.warning("geo_permissions_unknown", why="the database is not ready")
    except Exception:  # noqa: BLE001
        _log.exception("geo_permissions_unknown", why="a defect of ours")


def _tell(checked: Checked) -> None:
    workspace_id = str(checked.asked.workspace_id)
    comparison = checked.view.comparison
    if checked.problem is not None:
        why = str(checked.problem)
        _log.warning("geo_permissions_unknown", workspace_id=workspace_id, why=why)
    elif comparison.differs:
        _log.warning(
            "geo_permissions_differ",
            workspace_id=workspace_id,
            allowed_here_closed_there=list(comparison.allowed_here_closed_there),
            closed_here_open_there=list(comparison.closed_here_open_there),
        )
    else:
        _log.info("geo_permissions_agree", workspace_id=workspace_id)
