"""The form of a use case, read with the schema of the API's body."""

import re
from collections.abc import Mapping
from typing import Any

from flask import request
from marshmallow import Schema

from app.console.ui.forms import Form
from app.db.rows import AnyRow
from app.kernel.errors import ValidationFailed
from app.web.bodies import load

ON = "on"
EVERYWHERE, SOME = "everywhere", "some"
_DESTINATIONS = "allowed_destinations"
_BETWEEN_CODES = re.compile(r"[\s,;]+")
_PLACE = re.compile(rf"\$\.{_DESTINATIONS}\[(\d+)\]")


def form_of(row: AnyRow) -> Form:
    """Fill the form from the stored use case."""
    some = row.allowed_destinations
    return Form(
        {
            "name": row.name,
            "messaging_service_sid": row.messaging_service_sid,
            "active": ON if row.active else "",
            "reach": EVERYWHERE if some is None else SOME,
            _DESTINATIONS: ", ".join(some or ()),
            "brand": row.brand_sid or "",
            "campaign": row.campaign_sid or "",
            "on_unconfirmed": row.on_unconfirmed,
        }
    )


def read_use_case(schema: type[Schema]) -> Any:
    """Load the submitted form with the schema of the API's body.

    Raises:
        ValidationFailed: with every problem, as for the API.
    """
    given = request.form
    body: dict[str, Any] = {
        "name": given.get("name", "").strip(),
        "messaging_service_sid": given.get("messaging_service_sid", "").strip(),
        "active": given.get("active") == ON,
        "brand": _registration(given, "brand"),
        "campaign": _registration(given, "campaign"),
    }
    # Neither word: as it was. Nothing may become wider by what a form leaves out.
    if given.get("reach") in {EVERYWHERE, SOME}:
        body[_DESTINATIONS] = _codes(given) if given["reach"] == SOME else None
    if given.get("on_unconfirmed"):
        body["on_unconfirmed"] = given["on_unconfirmed"]
    return load(schema(), body)


def naming_codes(problem: ValidationFailed) -> ValidationFailed:
    """Let problems of single countries name the country that was typed."""
    codes = _codes(request.form)
    told: dict[str, list[str]] = {}
    for path, texts in (problem.details or {}).items():
        found = _PLACE.fullmatch(path)
        if found is None:
            told.setdefault(path, []).extend(texts)
            continue
        named = [f"{codes[int(found.group(1))]}: {text}" for text in texts]
        told.setdefault(f"$.{_DESTINATIONS}", []).extend(named)
    return ValidationFailed(told)


def _codes(given: Mapping[str, str]) -> list[str]:
    typed = given.get(_DESTINATIONS, "").upper()
    return [code for code in _BETWEEN_CODES.split(typed) if code]


def _registration(given: Mapping[str, str], kind: str) -> dict[str, str] | None:
    sid = given.get(kind, "").strip()
    return {"sid": sid} if sid else None
