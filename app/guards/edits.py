"""Edits of guards by files and commands: omitted settings stay unchanged. Pure."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from app.guards.configuration import (
    configuration_json,
    parse_guards,
    parse_use_case_guards,
    use_case_json,
)
from app.guards.limits import OF_USE_CASES, GuardConfiguration, GuardName
from app.kernel.countries import is_country
from app.kernel.errors import Problems

# Returns the wanted configuration for the current one, and adds its problems.
GuardEdit = Callable[[GuardConfiguration, Problems], GuardConfiguration]
# Files and commands have no null: this text means no limit.
NO_LIMIT = "none"
_NO_PRICES = (
    "A spend limit needs prices, and there are none yet: import or refresh them first "
    "(borderpost prices import)."
)


@dataclass(frozen=True, slots=True)
class GuardDifference:
    """``path`` is without the guard's owner: ``number.hour``."""

    path: str
    before: Any
    after: Any


def edit_guards(
    current: GuardConfiguration, given: object, path: str, problems: Problems
) -> GuardConfiguration:
    """Null removes a country's limits."""
    current, kept = _remove_countries(current, None, _with_null(given))
    return replace(current, guards=parse_guards(kept, path, problems, current.guards))


def edit_use_case_guards(
    current: GuardConfiguration, use_case_id: UUID, given: object, path: str, problems: Problems
) -> GuardConfiguration:
    """Null removes a guard."""
    current, kept = _remove_countries(current, use_case_id, _with_null(given))
    if isinstance(kept, Mapping):
        for name in OF_USE_CASES:
            if name in kept and kept[name] is None:
                current = remove_use_case_guard(current, use_case_id, name)
                kept = {key: one for key, one in kept.items() if key != name}
    own = parse_use_case_guards(kept, path, problems, current.use_cases.get(use_case_id))
    return replace(current, use_cases=dict(current.use_cases) | ({use_case_id: own} if own else {}))


def remove_use_case_guard(
    current: GuardConfiguration, use_case_id: UUID, name: GuardName
) -> GuardConfiguration:
    own = {key: one for key, one in current.use_cases.get(use_case_id, {}).items() if key != name}
    use_cases = {key: one for key, one in current.use_cases.items() if key != use_case_id}
    return replace(current, use_cases=use_cases | ({use_case_id: own} if own else {}))


def remove_country(
    current: GuardConfiguration, use_case_id: UUID | None, country: str
) -> GuardConfiguration:
    own = None if use_case_id is None else current.use_cases.get(use_case_id, {})
    by_name = current.guards.by_name if own is None else own
    guard = by_name.get(GuardName.COUNTRY)
    if guard is None or country not in guard.countries:
        return current
    countries = {code: one for code, one in guard.countries.items() if code != country}
    changed = {**by_name, GuardName.COUNTRY: replace(guard, countries=countries)}
    if use_case_id is None:
        return replace(current, guards=replace(current.guards, by_name=changed))
    return replace(current, use_cases={**current.use_cases, use_case_id: changed})


def check_spend(
    wanted: GuardConfiguration, path: str, problems: Problems, *, has_prices: bool
) -> None:
    if wanted.guards.has_spend_limit() and not has_prices:
        problems.add(f"{path}.{GuardName.SPEND}", _NO_PRICES)


def explain_for_text(problem: str, no_limit: str = f'"{NO_LIMIT}"') -> str:
    """Convert a problem for files, commands and forms, which have no null."""
    return problem.replace("null", no_limit).replace("JSON object", "table")


def _remove_countries(
    current: GuardConfiguration, use_case_id: UUID | None, given: object
) -> tuple[GuardConfiguration, object]:
    guard = given.get(GuardName.COUNTRY) if isinstance(given, Mapping) else None
    countries = guard.get("countries") if isinstance(guard, Mapping) else None
    if not isinstance(countries, Mapping):
        return current, given
    removed = [code for code, one in countries.items() if one is None and is_country(code)]
    for country in removed:
        current = remove_country(current, use_case_id, country)
    # A wrong code is reported, also if its limits are to be removed.
    kept = {
        code: {} if one is None else one for code, one in countries.items() if code not in removed
    }
    return current, {**given, GuardName.COUNTRY: {**guard, "countries": kept}}  # type: ignore[dict-item]


def _with_null(given: object) -> object:
    if isinstance(given, Mapping):
        return {key: _with_null(value) for key, value in given.items()}
    return None if given == NO_LIMIT else given


def workspace_differences(
    before: GuardConfiguration, after: GuardConfiguration
) -> tuple[GuardDifference, ...]:
    return _differences(configuration_json(before)["guards"], configuration_json(after)["guards"])


def use_case_differences(
    before: GuardConfiguration, after: GuardConfiguration, use_case_id: UUID
) -> tuple[GuardDifference, ...]:
    pair = (use_case_json(one.use_cases.get(use_case_id, {})) for one in (before, after))
    return _differences(*pair)


def _differences(before: Any, after: Any) -> tuple[GuardDifference, ...]:
    one, other = dict(_settings(before)), dict(_settings(after))
    return tuple(
        GuardDifference(path, one.get(path), other.get(path))
        for path in dict.fromkeys((*one, *other))
        if one.get(path) != other.get(path)
    )


def _settings(value: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, inner in value.items():
        at = f"{path}.{key}" if path else key
        if isinstance(inner, Mapping):
            yield from _settings(inner, at)
        else:
            yield at, NO_LIMIT if inner is None else inner
