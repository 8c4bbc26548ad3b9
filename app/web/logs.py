"""Structured logs: one line of JSON each, through one processor that masks and leaves out.

Whole numbers, message bodies and tokens never get through, whoever wrote the line: our own code, a
library's logger or the text of an exception.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

from app.kernel.masking import mask_numbers_in

_SECRET_FIELDS = {
    "auth_token",
    "authorization",
    "body",
    "message_body",
    "password",
    "secret",
    "signature",
    "text",
    "token",
}
_TOKENS = re.compile(r"bp_[0-9A-Za-z]{38}|\b[0-9a-f]{32}\b|(?<=://)[^/@\s]+@", re.ASCII)
_LEFT_OUT = "[left out]"


def mask_line(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> Any:
    """Mask every value of a log line."""
    return {name: _masked(name, value) for name, value in line.items()}


def mask_text(text: str) -> str:
    """Mask numbers and leave out what looks like a token, in any text."""
    return mask_numbers_in(_TOKENS.sub(_LEFT_OUT, text))


def _masked(name: str, value: Any) -> Any:
    if name.lower() in _SECRET_FIELDS:
        return _LEFT_OUT
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, dict):
        return {key: _masked(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(name, inner) for inner in value]
    return value


def configure_logs(stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """Send structlog's and every library's lines through the one masking processor."""
    before: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*before, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                mask_line,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for chatty in ("twilio", "app.providers.twilio.transport", "urllib3", "alembic", "werkzeug"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
