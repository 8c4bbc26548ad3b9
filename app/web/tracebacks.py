"""Exceptions in the log: type, places and causes, never the text.

A text may hold a number, a message body or a row.
"""

import re
import traceback
from collections.abc import Iterator

# SQLite names the rule and its columns; its other texts repeat parts of the statement.
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
    told = "".join(f" [{fact}]" for fact in _facts(getattr(error, "orig", None)))
    places = "".join(traceback.format_tb(error.__traceback__)).rstrip()
    grouped = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    inner = "".join(f"\nholding {_describe(one)}" for one in grouped)
    return f"{kind}{told}\n{places}{inner}".rstrip()


def _facts(driver_error: object) -> list[str]:
    """Return the schema objects of a database error, without values."""
    text = str(driver_error)
    if _BROKEN_RULE.fullmatch(text):
        return [text]
    diagnosis = getattr(driver_error, "diag", None)
    found = (getattr(diagnosis, name, None) for name in _TOLD_OF_A_ROW)
    return [str(fact) for fact in found if fact]
