"""Forms: read by the same schemas as the API's bodies, with each problem beside its field."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import request
from marshmallow import Schema, fields

from app.kernel.errors import ValidationFailed
from app.kernel.texts import UNSTORABLE, is_storable
from app.web.bodies import load

_STEP = re.compile(r"^\$\.?([A-Za-z_0-9]*)")


@dataclass(frozen=True, slots=True)
class Form:
    """What a form shows: the values that were given, and what is wrong with each."""

    values: Mapping[str, Any] = field(default_factory=dict)
    errors: Mapping[str, list[str]] = field(default_factory=dict)

    def value(self, name: str, default: object = "") -> Any:
        """Return the submitted value of a field."""
        return self.values.get(name, default)

    def errors_of(self, name: str) -> list[str]:
        """Return the problems of a field; the empty name is the form as a whole."""
        return self.errors.get(name, [])


def read_form(schema: type[Schema], **more: object) -> Any:
    """Load the submitted form with a schema; an empty field counts as left out.

    Args:
        schema: the schema of the corresponding API body.
        more: values that do not come from the form.

    Raises:
        ValidationFailed: with every problem, as in the API.
    """
    made = schema()
    given: dict[str, Any] = {}
    for name, one in made.fields.items():
        if isinstance(one, fields.List):
            given[name] = [text for text in request.form.getlist(name) if text]
        elif request.form.get(name):
            given[name] = request.form[name]
    return load(made, given | more)


def read_text(name: str) -> str:
    """Return what was typed into a field that no schema reads, without the space around it.

    Raises:
        ValidationFailed: it holds a character that cannot be stored.
    """
    text = request.form.get(name, "").strip()
    if not is_storable(text):
        raise ValidationFailed({f"$.{name}": [UNSTORABLE]})
    return text


def read_search(schema: type[Schema]) -> Any:
    """Load the search form from the query string; an empty field counts as left out.

    Raises:
        ValidationFailed: with every problem, as in the API.
    """
    given = {name: text for name, text in request.args.items() if text}
    return load(schema(), given)


def refilled(problem: ValidationFailed) -> Form:
    """Return the submitted form again, with the problems at their fields."""
    errors: dict[str, list[str]] = {}
    for path, texts in (problem.details or {}).items():
        found = _STEP.match(path)
        errors.setdefault(found.group(1) if found else "", []).extend(texts)
    given = request.args if request.method == "GET" else request.form
    return Form(given.to_dict(), errors)
