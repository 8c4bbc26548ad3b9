"""The check of geo permissions at start, which only logs, also its failures."""

import threading

import structlog
from flask import Flask

from app.destinations.geo_permissions.check import CheckProvider, log_checked
from app.kernel.errors import ServiceUnavailable
from app.web.registry import get_service

_log = structlog.get_logger(__name__)


def check_in_background(app: Flask) -> threading.Thread:
    thread = threading.Thread(target=_check, args=(app,), name="start-check", daemon=True)
    try:
        thread.start()
    except RuntimeError:
        _log.warning("geo_permissions_unknown", why="no thread can be started")
    return thread


def _check(app: Flask) -> None:
    try:
        with app.app_context():
            checked = get_service(CheckProvider)()
        for one in checked:
            log_checked(one)
    except ServiceUnavailable:
        _log.warning("geo_permissions_unknown", why="the database is not ready")
    except Exception:  # noqa: BLE001
        _log.exception("geo_permissions_unknown", why="a defect of ours")
