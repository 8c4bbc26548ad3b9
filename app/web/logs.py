"""Structured logs: one JSON line each, masked by one processor.

Whole numbers, message bodies and tokens are removed from every line, also from library loggers and
exception texts.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path
from typing import Any, TextIO
from uuid import UUID

import structlog

from app.kernel.masking import mask_numbers_in
from app.web.tracebacks import describe_exception

_SECRET_FIELDS = {
    "auth_token",
    "authorization",
    "body",
    "message",
    "message_body",
    "password",
    "secret",
    "signature",
    "text",
    "token",
}
_TOKENS = re.compile(
    r"bp_[0-9A-Za-z]{38}"  # access keys
    r"|\b[0-9a-f]{32}\b"  # provider tokens
    r"|\bwhsec_[\w+/=-]+"  # secrets of webhook endpoints
    r"|(?<=://)[^/@\s]+@"  # users and passwords in URLs
    r"|(?<=Basic )\S+"
    r"|\b[\w-]{43}=|\bgAAAA[\w=-]{20,}",  # Fernet keys and what they sealed
    re.ASCII,
)
_LEFT_OUT = "[left out]"
_OWN_LOGGERS = ("app.", "gunicorn.")


def mask_line(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> Any:
    """Mask every value of a log line."""
    return {name: _masked(name, value) for name, value in line.items()}


def mask_text(text: str) -> str:
    """Mask numbers and remove tokens in any text."""
    return mask_numbers_in(_TOKENS.sub(_LEFT_OUT, text))


def _masked(name: str, value: Any) -> Any:
    if name.lower() in _SECRET_FIELDS:
        return _LEFT_OUT
    match value:
        case None | bool() | int() | float():
            return value
        case str() | bytes() | UUID() | date() | timedelta() | Path():
            text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
            return mask_text(text)
        case dict():
            return {mask_text(str(key)): _masked(str(key), inner) for key, inner in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_masked(name, inner) for inner in value]
        case _:  # what it says of itself may be anything
            return f"<{type(value).__qualname__}>"


def _passes(record: logging.LogRecord) -> bool:
    # Below a warning, libraries tell what they work with: rows, URLs, requests.
    return record.levelno >= logging.WARNING or record.name.startswith(_OWN_LOGGERS)


class _Lines:
    """Writes the finished lines of one logger; ``name`` is part of each."""

    def __init__(self, name: str, handler: "logging.StreamHandler[TextIO]") -> None:
        self.name = name
        self._handler = handler

    def msg(self, line: str) -> None:
        """Write a line; one that cannot be written is lost."""
        self._handler.acquire()  # the lock of all lines, which logging renews after a fork
        try:
            with suppress(OSError, ValueError):
                self._handler.stream.write(line + "\n")
                self._handler.stream.flush()
        finally:
            self._handler.release()

    debug = info = warning = error = critical = exception = msg


def configure_logs(stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """Write structlog's and every library's lines, each through the one masking processor."""
    handler = logging.StreamHandler(stream or sys.stderr)
    before: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    written: list[Any] = [
        structlog.processors.ExceptionRenderer(lambda info: describe_exception(info[1])),
        mask_line,
        structlog.processors.JSONRenderer(),
    ]
    structlog.configure(
        processors=[*before, *written],
        logger_factory=lambda name="app": _Lines(name, handler),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler.addFilter(_passes)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *written],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    # A line that cannot be written is lost: Python would show it on standard error, unmasked.
    logging.raiseExceptions = False
