"""Structured logs: one JSON line each, masked by one processor.

Whole numbers, bodies and tokens are removed, also from library loggers and exception texts.
"""

import json
import logging
import re
import sys
import traceback
from collections.abc import Iterator, MutableMapping
from contextlib import suppress
from contextvars import ContextVar
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, TextIO
from uuid import UUID

import structlog

from app.kernel.masking import mask_numbers_in

# SQLite's messages for broken constraints; its other messages repeat parts of the statement.
_BROKEN_RULE = re.compile(r"[A-Z ]+ constraint failed: [\w., ]+", re.ASCII)
_TOLD_OF_A_ROW = ("sqlstate", "table_name", "column_name", "constraint_name")


def describe_exception(error: BaseException) -> str:
    """Return an exception and its causes, newest first."""
    return "\ncaused by ".join(_describe(one) for one in _chain(error))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _describe(error: BaseException) -> str:
    kind = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    details = "".join(f" [{fact}]" for fact in _facts(getattr(error, "orig", None)))
    places = "".join(traceback.format_tb(error.__traceback__)).rstrip()
    grouped = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    inner = "".join(f"\nholding {_describe(one)}" for one in grouped)
    return f"{kind}{details}\n{places}{inner}".rstrip()


def _facts(driver_error: object) -> list[str]:
    """Return the schema objects of a database error, without values."""
    text = str(driver_error)
    if _BROKEN_RULE.fullmatch(text):
        return [text]
    diagnosis = getattr(driver_error, "diag", None)
    found = (getattr(diagnosis, name, None) for name in _TOLD_OF_A_ROW)
    return [str(fact) for fact in found if fact]


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
    r"|\b[\w-]{43}=|\bgAAAA[\w=-]{20,}",  # Fernet keys and what they encrypted
    re.ASCII,
)
_LEFT_OUT = "[left out]"
_OWN_LOGGERS = ("app.", "gunicorn.")

_NO_FACTS: dict[str, Any] = {}
_facts_of_request: ContextVar[dict[str, Any]] = ContextVar("facts_of_request", default=_NO_FACTS)


def begin_line(**facts: Any) -> None:
    _facts_of_request.set(facts)


def add_to_line(**facts: Any) -> None:
    """Add facts to the later lines of this request, so to its last one."""
    _facts_of_request.set(_facts_of_request.get() | facts)


def add_facts_of_request(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> Any:
    return {**_facts_of_request.get(), **line}


def mask_line(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> Any:
    return {name: _masked(name, value) for name, value in line.items()}


def _as_json(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> str:
    # Without options, `json.dumps` keeps its encoder; a masked line needs none.
    return json.dumps(line)


# Cached, because most texts of a line are names that repeat.
@lru_cache(maxsize=1024)
def mask_text(text: str) -> str:
    return mask_numbers_in(_TOKENS.sub(_LEFT_OUT, text))


@lru_cache(maxsize=256)
def _is_secret(name: str) -> bool:
    return name.lower() in _SECRET_FIELDS


def _masked(name: str, value: Any) -> Any:
    if _is_secret(name):
        return _LEFT_OUT
    match value:
        case None | bool() | int() | float():
            return value
        case str() | bytes() | UUID() | date() | timedelta() | Path():
            text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
            return text if isinstance(value, UUID) else mask_text(text)
        case dict():
            return {mask_text(str(key)): _masked(str(key), inner) for key, inner in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_masked(name, inner) for inner in value]
        case _:  # its repr may contain anything
            return f"<{type(value).__qualname__}>"


def _passes(record: logging.LogRecord) -> bool:
    # Below WARNING, libraries log rows, URLs and requests.
    return record.levelno >= logging.WARNING or record.name.startswith(_OWN_LOGGERS)


class _Lines:
    def __init__(self, name: str, handler: "logging.StreamHandler[TextIO]") -> None:
        self.name = name
        self._handler = handler

    def msg(self, line: str) -> None:
        """A line that cannot be written is lost."""
        self._handler.acquire()  # logging renews this lock after a fork
        try:
            with suppress(OSError, ValueError):
                self._handler.stream.write(line + "\n")
                self._handler.stream.flush()
        finally:
            self._handler.release()

    debug = info = warning = error = critical = exception = msg


def configure_logs(stream: TextIO | None = None, level: int = logging.INFO) -> None:
    handler = logging.StreamHandler(stream or sys.stderr)
    facts: list[Any] = [
        structlog.processors.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    masks: list[Any] = [
        add_facts_of_request,
        structlog.processors.ExceptionRenderer(lambda info: describe_exception(info[1])),
        mask_line,
    ]
    structlog.configure(
        processors=[*masks, *facts, _as_json],
        logger_factory=lambda name="app": _Lines(name, handler),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler.addFilter(_passes)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=facts,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *masks,
                _as_json,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    # Otherwise Python prints a line that cannot be written to standard error, unmasked.
    logging.raiseExceptions = False
