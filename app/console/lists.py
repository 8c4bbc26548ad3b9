"""Moving through a list by its page tokens while its search is kept."""

from urllib.parse import urlencode

from flask import request

from app.console.pages import link

_TOKEN = "page_token"  # noqa: S105 (a position in a list)


def older(path: str, token: str | None) -> str | None:
    """Return the address of the page that follows, or None after the last."""
    return None if token is None else _address(path, {_TOKEN: token})


def newest(path: str) -> str:
    """Return the address of the first page."""
    return _address(path, {})


def _address(path: str, more: dict[str, str]) -> str:
    kept = {name: text for name, text in request.args.items() if text and name != _TOKEN} | more
    return link(path) + ("?" + urlencode(kept) if kept else "")
