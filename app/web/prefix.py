"""The path prefix of the public URL, which a proxy may strip or keep."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any


class PrefixMiddleware:
    """Serves the same paths with and without the prefix."""

    def __init__(self, app: Callable[..., Iterable[bytes]], prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        # Links need the prefix also if a proxy has stripped it.
        environ["SCRIPT_NAME"] = self._prefix
        if self._prefix and f"{path}/".startswith(self._prefix + "/"):
            environ["PATH_INFO"] = path[len(self._prefix) :] or "/"
            environ["borderpost.stripped_prefix"] = self._prefix
        return self._app(environ, start_response)


@dataclass(frozen=True, slots=True)
class PublicPrefix:
    """Without a slash at its end."""

    text: str

    def path(self, path: str) -> str:
        return self.text + path
