"""Options of select fields: pairs of value and label, first the empty one."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from app.kernel.countries import COUNTRIES, country_name

Options = list[tuple[object, str]]


def options_of(first: str, values: Iterable[str]) -> Options:
    """Offer words as they are."""
    return [("", first), *((value, value) for value in map(str, values))]


def use_case_options(first: str, names: Mapping[UUID, str]) -> Options:
    """Offer use cases by name."""
    return [("", first), *names.items()]


def named_country_options(first: str) -> Options:
    """Offer every country, by its name."""
    named = [(code, country_name(code)) for code in COUNTRIES]
    return [("", first), *sorted(named, key=lambda pair: pair[1].casefold())]
