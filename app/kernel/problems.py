"""Collection of all problems of a request."""

from collections.abc import Callable
from typing import TypeVar

from app.kernel.errors import ValidationFailed

T = TypeVar("T")


class Problems:
    def __init__(self) -> None:
        self._found: dict[str, list[str]] = {}

    def add(self, path: str, text: str) -> None:
        self._found.setdefault(path, []).append(text)

    def catch(self, check: Callable[[], T]) -> T | None:
        """Return the result of a check; if it fails, add its problems."""
        try:
            return check()
        except ValidationFailed as problem:
            for path, texts in (problem.details or {}).items():
                self._found.setdefault(path, []).extend(texts)
        return None

    def found(self) -> dict[str, list[str]]:
        return {path: list(texts) for path, texts in self._found.items()}

    def refuse(self) -> None:
        if self._found:
            raise ValidationFailed(self._found)
