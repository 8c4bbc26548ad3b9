"""Options of select fields as (value, label), the empty one first."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from app.kernel.countries import COUNTRIES, country_name

Options = list[tuple[object, str]]


def options_of(first: str, values: Iterable[str]) -> Options:
    return [("", first), *((value, value) for value in map(str, values))]


def use_case_options(first: str, names: Mapping[UUID, str]) -> Options:
    return [("", first), *names.items()]


def named_country_options(first: str) -> Options:
    named = [(code, country_name(code)) for code in COUNTRIES]
    return [("", first), *sorted(named, key=lambda pair: pair[1].casefold())]
