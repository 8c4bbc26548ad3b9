"""The entry point of gunicorn; wrong settings stop the start."""

import os
import sys
from typing import NoReturn

from flask import Flask

from app.application import create_app
from app.bootstrap import open_services, prepare_start
from app.db.unavailable import why_unavailable
from app.kernel.errors import ServiceUnavailable
from app.settings import SettingsError
from app.web.logs import configure_logs

_STARTED_BY_GUNICORN_AND_NOT_AGAIN = 4  # gunicorn's own "the application failed to load"


def serve() -> Flask:
    """Create the application from the environment and ``instance/``."""
    configure_logs()
    try:
        settings = prepare_start()
        for warning in settings.warnings:
            print(f"warning: {warning}", file=sys.stderr)  # noqa: T201
        app = create_app(open_services(settings))
    except SettingsError as wrong:
        _end(wrong.problems)
    except ServiceUnavailable as problem:
        _end([why_unavailable(problem)])
    if os.environ.get("FLASK_RUN_FROM_CLI") == "true":
        # Imported here, because a web process does not need the commands and their imports.
        from app.cli.group import borderpost  # noqa: PLC0415

        for command in borderpost.commands.values():
            app.cli.add_command(command)
    return app


def _end(problems: list[str]) -> NoReturn:
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)  # noqa: T201
    sys.exit(_STARTED_BY_GUNICORN_AND_NOT_AGAIN)
