"""Country options of a select: localized name, code and calling code."""

import unicodedata
from functools import cache

import phonenumbers

from app.kernel.countries import COUNTRIES, country_name


@cache
def country_options(language: str) -> tuple[tuple[str, str], ...]:
    """Return every country as a pair of code and label, in the order of their names."""
    named = {code: country_name(code, language) for code in COUNTRIES}
    return tuple(
        (code, f"{named[code]} ({', '.join([code, *_calling_code(code)])})")
        for code in sorted(COUNTRIES, key=lambda code: sort_key(named[code]))
    )


def sort_key(name: str) -> str:
    """Return a sort key that ignores accents and case."""
    plain = unicodedata.normalize("NFKD", name)
    return "".join(char for char in plain if not unicodedata.combining(char)).casefold()


def _calling_code(code: str) -> list[str]:
    found = phonenumbers.country_code_for_region(code)
    return [f"+{found}"] if found else []
