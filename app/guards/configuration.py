"""Conversion of guards from and to JSON, with every problem by path. Pure."""

import re
from collections.abc import Collection, Mapping
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeVar
from uuid import UUID

from app.guards.limits import (
    AUTO,
    AUTO_FLOORS,
    DEFAULT_GUARDS,
    FIELDS,
    OF_USE_CASES,
    WINDOWS,
    AutoLimits,
    Autos,
    DeliveryGuard,
    DeliverySign,
    GuardConfiguration,
    GuardMode,
    GuardName,
    Guards,
    Limit,
    Limits,
    UseCaseGuards,
    Window,
    WindowGuard,
)
from app.kernel.countries import is_country
from app.kernel.errors import Problems
from app.kernel.ids import parse_id
from app.kernel.whole_numbers import LARGEST_STORED

_Choice = TypeVar("_Choice", bound=StrEnum)
_ROOT = "$"
_MONEY = re.compile(r"\d{1,9}(\.\d{1,6})?", re.ASCII)
_MOST_PERCENT = 100
_NOT_AN_OBJECT = "Must be a JSON object."
_UNKNOWN = "Unknown field."
_NO_SUCH_GUARD = f"There is no such guard; there are {', '.join(GuardName)}."
_NOT_OF_USE_CASES = f"A use case can have guards of its own for {', '.join(OF_USE_CASES)} alone."
_NO_COUNTRY = "Must be an ISO 3166-1 alpha-2 country code in upper case."
_NO_COUNT = f"Must be a whole number from 1 to {LARGEST_STORED}, or null for no limit."
_NO_COUNT_OR_AUTO = (
    f'Must be a whole number from 1 to {LARGEST_STORED}, "auto", or null for no limit.'
)
_NO_MONEY = 'Must be a decimal text above 0, for example "25.00", or null for no limit.'
_NO_PERCENT = f"Must be a whole number from 0 to {_MOST_PERCENT}."
_NO_BELOW = f"{_NO_PERCENT[:-1]}, or null for no limit."
_NO_MINIMUM = f"Must be a whole number from 1 to {LARGEST_STORED}."


def parse_configuration(given: object, problems: Problems) -> GuardConfiguration:
    """Omitted settings get their defaults."""
    fields = _object(given, _ROOT, problems, ("guards", "use_cases"))
    guards = parse_guards(fields.get("guards", {}), f"{_ROOT}.guards", problems)
    path = f"{_ROOT}.use_cases"
    use_cases: dict[UUID, UseCaseGuards] = {}
    given_ids: set[UUID | None] = set()
    for key, value in _object(fields.get("use_cases", {}), path, problems).items():
        use_case_id = parse_id(key)
        if use_case_id is None:
            problems.add(f"{path}.{key}", "Must be a UUID.")
        elif use_case_id in given_ids:
            problems.add(f"{path}.{key}", "This use case is given more than once.")
        given_ids.add(use_case_id)
        own = parse_use_case_guards(value, f"{path}.{key}", problems)
        if use_case_id is not None:
            use_cases[use_case_id] = own
    return GuardConfiguration(guards, use_cases)


def parse_guards(
    given: object, path: str, problems: Problems, base: Guards | None = None
) -> Guards:
    """Omitted settings are as in ``base``, or default."""
    base = base or Guards()
    by_name = dict(base.by_name)
    delivery = base.delivery
    for key, value in _object(given, path, problems).items():
        at = f"{path}.{key}"
        if key == GuardName.DELIVERY:
            delivery = _delivery(value, at, problems, base.delivery)
        elif key in set(WINDOWS):
            name = GuardName(key)
            by_name[name] = _window_guard(name, value, at, problems, base.by_name[name])
        else:
            problems.add(at, _NO_SUCH_GUARD)
    return Guards(by_name, delivery)


def parse_use_case_guards(
    given: object, path: str, problems: Problems, base: UseCaseGuards | None = None
) -> UseCaseGuards:
    """Omitted settings are as in ``base``."""
    own = dict(base or {})
    for key, value in _object(given, path, problems).items():
        at = f"{path}.{key}"
        if key in set(OF_USE_CASES):
            name = GuardName(key)
            before = own.get(name, DEFAULT_GUARDS[name])
            own[name] = _window_guard(name, value, at, problems, before)
        else:
            problems.add(at, _NOT_OF_USE_CASES if key in set(GuardName) else _NO_SUCH_GUARD)
    return own


def _window_guard(
    name: GuardName, given: object, path: str, problems: Problems, base: WindowGuard
) -> WindowGuard:
    known = ["mode", *WINDOWS[name], *(["countries"] if name is GuardName.COUNTRY else [])]
    fields = _object(given, path, problems, known)
    limits = _limits(name, fields, path, problems, base.limits)
    countries = dict(base.countries)
    if "countries" in fields:
        given_countries, at = fields["countries"], f"{path}.countries"
        countries |= _countries(given_countries, at, problems, base.countries)
    if "mode" in fields:
        mode = _choice(fields["mode"], f"{path}.mode", problems, GuardMode.OFF)
    else:
        mode = _default_mode(name, base, limits)
    return WindowGuard(mode, limits, countries)


def _countries(
    given: object, path: str, problems: Problems, base: Mapping[str, Limits]
) -> dict[str, Limits]:
    found: dict[str, Limits] = {}
    name = GuardName.COUNTRY
    for code, value in _object(given, path, problems).items():
        at = f"{path}.{code}"
        if not is_country(code):
            problems.add(at, _NO_COUNTRY)
        fields = _object(value, at, problems, WINDOWS[name])
        before = base.get(code, DEFAULT_GUARDS[name].limits)
        found[code] = _limits(name, fields, at, problems, before)
    return found


def _limits(
    name: GuardName, fields: Mapping[str, Any], path: str, problems: Problems, base: Limits
) -> dict[Window, Limit]:
    return {
        window: _limit(name, fields[window], f"{path}.{window}", problems)
        if window in fields
        else base[window]
        for window in WINDOWS[name]
    }


def _limit(name: GuardName, given: object, path: str, problems: Problems) -> Limit:
    if given is None:
        return None
    if name is GuardName.SPEND:
        if isinstance(given, str) and _MONEY.fullmatch(given) and Decimal(given) > 0:
            return Decimal(given)
        problems.add(path, _NO_MONEY)
        return None
    takes_auto = name in AUTO_FLOORS
    if takes_auto and given == AUTO:
        return AUTO
    if _is_whole(given, 1, LARGEST_STORED):
        return given  # type: ignore[return-value]
    problems.add(path, _NO_COUNT_OR_AUTO if takes_auto else _NO_COUNT)
    return None


def _default_mode(name: GuardName, base: WindowGuard, limits: Limits) -> GuardMode:
    had_limit = any(limit is not None for limit in base.limits.values())
    has_limit = any(limit is not None for limit in limits.values())
    if name is GuardName.SPEND and has_limit and not had_limit:
        return GuardMode.ENFORCE
    return base.mode


def _choice(given: object, path: str, problems: Problems, if_wrong: _Choice) -> _Choice:
    """Read a value of the enumeration that ``if_wrong`` belongs to."""
    kind = type(if_wrong)
    if isinstance(given, str) and given in set(kind):
        return kind(given)
    problems.add(path, f"Must be one of: {', '.join(kind)}.")
    return if_wrong


def _delivery(given: object, path: str, problems: Problems, base: DeliveryGuard) -> DeliveryGuard:
    fields = _object(given, path, problems, ("mode", *FIELDS[GuardName.DELIVERY]))

    def number(name: str, least: int, most: int, text: str, before: int) -> int:
        found = fields.get(name, before)
        if _is_whole(found, least, most):
            return int(found)
        problems.add(f"{path}.{name}", text)
        return before

    below = fields.get("below", base.below)
    if below is not None:
        below = number("below", 0, _MOST_PERCENT, _NO_BELOW, base.below or 0)
    return DeliveryGuard(
        mode=_choice(fields.get("mode", base.mode), f"{path}.mode", problems, GuardMode.OFF),
        below=below,
        baseline=number("baseline", 0, _MOST_PERCENT, _NO_PERCENT, base.baseline),
        minimum=number("minimum", 1, LARGEST_STORED, _NO_MINIMUM, base.minimum),
        counts=_choice(
            fields.get("counts", base.counts), f"{path}.counts", problems, DeliverySign.DELIVERED
        ),
    )


def _is_whole(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _object(
    given: object, path: str, problems: Problems, known: Collection[str] | None = None
) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        problems.add(path, _NOT_AN_OBJECT)
        return {}
    for key in given:
        if known is not None and key not in known:
            problems.add(f"{path}.{key}", _UNKNOWN)
    return given


def guards_json(guards: Guards) -> dict[str, Any]:
    delivery = guards.delivery
    found = {
        "mode": delivery.mode.value,
        "below": delivery.below,
        "baseline": delivery.baseline,
        "minimum": delivery.minimum,
    }
    if delivery.counts is not DeliverySign.DELIVERED:
        found["counts"] = delivery.counts.value
    return use_case_json(guards.by_name) | {GuardName.DELIVERY.value: found}


def use_case_json(own: UseCaseGuards) -> dict[str, Any]:
    return {name.value: _guard_json(name, own[name]) for name in WINDOWS if name in own}


def _guard_json(name: GuardName, guard: WindowGuard) -> dict[str, Any]:
    found = {"mode": guard.mode.value} | _limits_json(guard.limits)
    if name is GuardName.COUNTRY:
        found["countries"] = {
            code: _limits_json(limits) for code, limits in sorted(guard.countries.items())
        }
    return found


def _limits_json(limits: Limits) -> dict[str, Any]:
    return {
        window.value: str(limit) if isinstance(limit, Decimal) else limit
        for window, limit in limits.items()
    }


def configuration_json(configuration: GuardConfiguration) -> dict[str, Any]:
    return {
        "guards": guards_json(configuration.guards),
        "use_cases": {
            str(use_case_id): use_case_json(own)
            for use_case_id, own in sorted(configuration.use_cases.items())
        },
    }


def auto_json(auto: AutoLimits) -> dict[str, Any]:
    return {
        GuardName.COUNTRY.value: dict(auto.country)
        | {"countries": {code: dict(limits) for code, limits in sorted(auto.countries.items())}},
        GuardName.WORKSPACE.value: dict(auto.workspace),
    }


def read_guards(stored: Mapping[str, Any] | None) -> Guards:
    return Guards() if stored is None else parse_guards(stored, "guards", Problems())


def read_own(stored: Mapping[str, Any] | None) -> UseCaseGuards:
    return {} if stored is None else parse_use_case_guards(stored, "guards", Problems())


def read_auto(stored: Mapping[str, Any]) -> AutoLimits:
    country, workspace = stored[GuardName.COUNTRY], stored[GuardName.WORKSPACE]

    def limits(name: GuardName, found: Mapping[str, int]) -> dict[Window, int]:
        return {window: found[window] for window in WINDOWS[name]}

    return AutoLimits(
        country=limits(GuardName.COUNTRY, country),
        countries={
            code: limits(GuardName.COUNTRY, found) for code, found in country["countries"].items()
        },
        workspace=limits(GuardName.WORKSPACE, workspace),
    )


def autos_json(autos: Autos) -> dict[str, Any]:
    return {
        "day": None if autos.day is None else autos.day.isoformat(),
        "workspace": auto_json(autos.workspace),
        "use_cases": {str(key): auto_json(value) for key, value in autos.use_cases.items()},
    }


def read_autos(stored: Mapping[str, Any]) -> Autos:
    """Rows of older versions have no day, and are written again."""
    day, own = stored.get("day"), stored["use_cases"]
    return Autos(
        read_auto(stored["workspace"]),
        {UUID(key): read_auto(value) for key, value in own.items()},
        None if day is None else date.fromisoformat(day),
    )
