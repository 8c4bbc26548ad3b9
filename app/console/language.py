"""The language in which country names are displayed."""

from functools import cache

from babel import Locale, UnknownLocaleError
from flask import request

_FALLBACK = "en"
_MOST_TRIED = 5


def visitor_language() -> str:
    """Return the first language of the browser that names of countries are known in."""
    for tag in list(request.accept_languages.values())[:_MOST_TRIED]:
        language = _known(tag[:35])
        if language is not None:
            return language
    return _FALLBACK


@cache
def _known(tag: str) -> str | None:
    try:
        locale = Locale.parse(tag, sep="-")
    except (ValueError, UnknownLocaleError):
        return None
    return str(locale) if locale.territories else None
