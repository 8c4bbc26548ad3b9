"""Options of select fields: pairs of value and label, first the empty one."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from app.console.language import visitor_language
from app.kernel.countries import COUNTRIES, country_name

Choices = list[tuple[object, str]]


def choices_of(first: str, values: Iterable[str]) -> Choices:
    """Offer words as they are."""
    return [("", first), *((value, value) for value in map(str, values))]


def use_case_choices(first: str, names: Mapping[UUID, str]) -> Choices:
    """Offer use cases by name."""
    return [("", first), *names.items()]


def country_choices(first: str) -> Choices:
    """Offer every country, by its name in the visitor's language."""
    language = visitor_language()
    named = [(code, country_name(code, language)) for code in COUNTRIES]
    return [("", first), *sorted(named, key=lambda pair: pair[1].casefold())]
