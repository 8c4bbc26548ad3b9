"""Problems of a requested policy change, by JSON path. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from app.destinations.policy import Access, Rule, RuleKind
from app.kernel.countries import is_country
from app.kernel.phone import resolve

MAX_ENTRIES = 300
NOT_A_COUNTRY = "Must be an ISO 3166-1 alpha-2 country code in upper case."
DENIED = "The organization denies this destination; a workspace cannot allow it."
_ROOT = "$.destinations"
_STATUSES = f"Must be one of: {', '.join(Access)}."

Problems = dict[str, list[str]]


def problems_of_map(wanted: Mapping[str, str], floor: frozenset[str]) -> Problems:
    """Check a country map; the path names the country."""
    found: Problems = {}
    for code, access in wanted.items():
        messages = _problems_of_code(code, access, floor)
        if access not in set(Access):
            messages.append(_STATUSES)
        if messages:
            found[f"{_ROOT}.{code}"] = messages
    return found | _too_many(len(wanted))


def problems_of_list(codes: Iterable[str], access: Access, floor: frozenset[str]) -> Problems:
    """Check a list of countries; the path names the place in the list."""
    given = list(codes)
    found: Problems = {}
    for place, code in enumerate(given):
        messages = _problems_of_code(code, access, floor)
        if messages:
            found[f"{_ROOT}[{place}]"] = messages
    return found | _too_many(len(given))


def wrong_entries(given: object) -> dict[str | int, list[str]]:
    """Check the raw entries of a country map or list, independent of any policy.

    The key is the country code in a map, the index in a list.
    """
    found: dict[str | int, list[str]] = {}
    if isinstance(given, Mapping):
        for code, access in given.items():
            found[code] = _problems_of_code(code, access, frozenset())
            if isinstance(access, str) and access not in set(Access):
                found[code].append(_STATUSES)
    elif isinstance(given, list):
        for place, code in enumerate(given):
            if isinstance(code, str):
                found[place] = _problems_of_code(code, "", frozenset())
    return {key: messages for key, messages in found.items() if messages}


def problems_of_rule(rule: Rule, floor: frozenset[str], now: datetime) -> Problems:
    """Check a rule whose value has a valid form."""
    found: Problems = {}
    kind, value, action = rule.kind, rule.value, rule.action
    country = value if kind is RuleKind.COUNTRY else None
    if kind is RuleKind.NUMBER:
        country = resolve(value).country
        if country is None and action is Access.ALLOWED:
            found["$.value"] = ["Belongs to no country, so it can never be reached."]
    if action is Access.ALLOWED and country in floor:
        found["$.value"] = [DENIED]
    if not rule.is_live(now):
        found["$.expires_at"] = ["Has already passed."]
    return found


def _problems_of_code(code: str, access: str, floor: frozenset[str]) -> list[str]:
    if not is_country(code):
        return [NOT_A_COUNTRY]
    return [DENIED] if access == Access.ALLOWED and code in floor else []


def _too_many(entries: int) -> Problems:
    return {_ROOT: [f"At most {MAX_ENTRIES} entries."]} if entries > MAX_ENTRIES else {}


def merged(one: Problems, other: Problems) -> Problems:
    """Put the problems of two checks together, path by path."""
    return {path: [*one.get(path, []), *other.get(path, [])] for path in {**one, **other}}
