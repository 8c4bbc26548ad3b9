"""Labels of use cases on pages, and the reading of their forms."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import request
from marshmallow import Schema

from app.console.ui.pages import Form
from app.db.rows import AnyRow
from app.kernel.errors import (
    BrandSuspended,
    CampaignNotVerified,
    NoSenderNumber,
    PublicError,
    UseCaseInactive,
    ValidationFailed,
)
from app.use_cases.read import StoredUseCase
from app.use_cases.rules import SenderType, obstacles
from app.web.bodies import load


@dataclass(frozen=True, slots=True)
class Obstacle:
    label: str
    advice: str


OBSTACLES: dict[type[PublicError], Obstacle] = {
    UseCaseInactive: Obstacle("off", "The use case is off. Turn it on under Settings."),
    BrandSuspended: Obstacle(
        "brand suspended",
        "Twilio has suspended the brand. Resolve this with Twilio, then refresh the brand.",
    ),
    NoSenderNumber: Obstacle(
        "no sender", "There is no sender. Add one that is also in the Messaging Service at Twilio."
    ),
    CampaignNotVerified: Obstacle(
        "campaign not verified",
        "A US long code needs an A2P campaign that Twilio has verified. Set the campaign under "
        "Settings, or refresh it once Twilio has verified it.",
    ),
}
SENDER_TYPES = {
    SenderType.LONG_CODE: "long code",
    SenderType.TOLL_FREE: "toll-free number",
    SenderType.SHORT_CODE: "short code",
    SenderType.ALPHANUMERIC: "alphanumeric sender",
}


def obstacles_of(record: StoredUseCase) -> list[Obstacle]:
    return [OBSTACLES[obstacle] for obstacle in obstacles(record.eligibility)]


ON = "on"
EVERYWHERE, SOME = "everywhere", "some"
_DESTINATIONS = "allowed_destinations"
_BETWEEN_CODES = re.compile(r"[\s,;]+")
_PLACE = re.compile(rf"\$\.{_DESTINATIONS}\[(\d+)\]")


def form_of(row: AnyRow) -> Form:
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
    """Load the submitted form; raises `ValidationFailed`."""
    given = request.form
    body: dict[str, Any] = {
        "name": given.get("name", "").strip(),
        "messaging_service_sid": given.get("messaging_service_sid", "").strip(),
        "active": given.get("active") == ON,
        "brand": _registration(given, "brand"),
        "campaign": _registration(given, "campaign"),
    }
    # Neither word: unchanged, because an omitted field must not remove a restriction.
    if given.get("reach") in {EVERYWHERE, SOME}:
        body[_DESTINATIONS] = _codes(given) if given["reach"] == SOME else None
    if given.get("on_unconfirmed"):
        body["on_unconfirmed"] = given["on_unconfirmed"]
    return load(schema(), body)


def naming_codes(problem: ValidationFailed) -> ValidationFailed:
    """Problems of single countries name the entered country."""
    codes = _codes(request.form)
    problems: dict[str, list[str]] = {}
    for path, texts in (problem.details or {}).items():
        found = _PLACE.fullmatch(path)
        if found is None:
            problems.setdefault(path, []).extend(texts)
            continue
        named = [f"{codes[int(found.group(1))]}: {text}" for text in texts]
        problems.setdefault(f"$.{_DESTINATIONS}", []).extend(named)
    return ValidationFailed(problems)


def _codes(given: Mapping[str, str]) -> list[str]:
    typed = given.get(_DESTINATIONS, "").upper()
    return [code for code in _BETWEEN_CODES.split(typed) if code]


def _registration(given: Mapping[str, str], kind: str) -> dict[str, str] | None:
    sid = given.get(kind, "").strip()
    return {"sid": sid} if sid else None
