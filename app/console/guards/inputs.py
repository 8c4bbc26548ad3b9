"""The form of guards, as the body of the API and back."""

import json
import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from app.console.ui.forms import Form
from app.guards.limits import OF_USE_CASES, DeliverySign, GuardName
from app.kernel.errors import ValidationFailed
from app.kernel.whole_numbers import read_whole_number

# The fields of each guard in the form: its windows, or the percentages of `delivery`.
FIELDS: Mapping[str, tuple[str, ...]] = {
    GuardName.NUMBER: ("hour", "day"),
    GuardName.PREFIX: ("hour", "day"),
    GuardName.COUNTRY: ("hour", "day"),
    GuardName.WORKSPACE: ("minute", "day"),
    GuardName.SPEND: ("day", "month"),
    GuardName.DELIVERY: ("below", "baseline", "minimum", "counts"),
}
_COUNTRIES = "countries"
_COUNTRY_FIELD = f"{GuardName.COUNTRY}.{_COUNTRIES}"
_PLACE = re.compile(r"\$\.(?:guards|use_cases\.[-\w]+)\.(\w+)(?:\.(\w+))?")


def fields_of(*, is_use_case: bool) -> Mapping[str, tuple[str, ...]]:
    """Return the guards, with their fields, that a workspace or a use case may have."""
    if not is_use_case:
        return FIELDS
    return {name: fields for name, fields in FIELDS.items() if name in OF_USE_CASES}


def form_of(guards: Mapping[str, Any]) -> Form:
    """Fill the form from guards as the API shows them."""
    values: dict[str, str] = {}
    for name, limits in guards.items():
        values[f"{name}.mode"] = limits["mode"]
        for field in FIELDS[name]:
            values[f"{name}.{field}"] = _written(limits.get(field, DeliverySign.DELIVERED.value))
        if _COUNTRIES in limits:
            own = limits[_COUNTRIES].items()
            lines = [f"{c} {_written(one['hour'])} {_written(one['day'])}" for c, one in own]
            values[_COUNTRY_FIELD] = "\n".join(lines)
    return Form(values)


def body_of(form: Mapping[str, str], *, is_use_case: bool) -> dict[str, Any]:
    """Return the submitted guards as the API takes them; wrong values stay as they were typed.

    A guard of a use case without a mode is none of its own.
    """
    body: dict[str, Any] = {}
    for name, fields in fields_of(is_use_case=is_use_case).items():
        guard: dict[str, Any] = {"mode": form.get(f"{name}.mode", "")}
        if is_use_case and not guard["mode"]:
            continue
        for field in fields:
            guard[field] = _value(name, form.get(f"{name}.{field}", ""))
        if name == GuardName.COUNTRY:
            guard[_COUNTRIES] = _countries(form.get(_COUNTRY_FIELD, ""))
        body[name] = guard
    return body


def text_of(body: Mapping[str, Any], revision: int, use_case_id: UUID | None) -> str:
    """Return the same text for the same guards of the same scope at the same revision."""
    return f"{revision};{use_case_id};{json.dumps(body, sort_keys=True)}"


def refilled(form: Mapping[str, str], problem: ValidationFailed) -> Form:
    """Return the submitted form again, with each problem at its field."""
    errors: dict[str, list[str]] = {}
    for path, texts in (problem.details or {}).items():
        found = _PLACE.match(path)
        if found is None:
            errors.setdefault("", []).extend(texts)
            continue
        name, field = found[1], found[2] or FIELDS[found[1]][0]
        place = path[found.end() :].strip(".")
        named = [f"{place}: {text}" if place else text for text in texts]
        errors.setdefault(f"{name}.{field}", []).extend(named)
    return Form(dict(form), errors)


def _written(limit: object) -> str:
    return "" if limit is None else str(limit)


def _value(name: str, text: str) -> object:
    text = text.strip()
    if not text:
        return None
    number = None if name == GuardName.SPEND else read_whole_number(text)
    return text if number is None else number


def _countries(text: str) -> dict[str, dict[str, object]]:
    """Read lines of a country code and its limits by hour and day."""
    found = {}
    for line in text.splitlines():
        words = line.replace(",", " ").split()
        if words:
            code, *limits = words
            values = [_value(GuardName.COUNTRY, one) for one in limits] + [None, None]
            found[code.upper()] = {"hour": values[0], "day": values[1]}
    return found
