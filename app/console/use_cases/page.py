"""Pages of use cases, senders and registrations; their forms differ from the API."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from flask import Response, request
from marshmallow import Schema

from app.access.guard import changing
from app.console.ui.forms import (
    ListSearch,
    check_unchanged,
    listed,
    read_search,
    refilling,
    without_separators,
)
from app.console.ui.guards import ADMIN, VIEWER, Pages
from app.console.ui.pages import NO_FORM, Form, page_answer, redirect_with_flash
from app.db.rows import AnyRow
from app.kernel import errors as e
from app.use_cases.api import SenderBody, UseCaseBody, UseCaseChange
from app.use_cases.manage import (
    NewSender,
    add_sender,
    change_use_case,
    create_use_case,
    delete_use_case,
    remove_sender,
    require_use_case,
)
from app.use_cases.read import StoredUseCase, UseCaseFilter, load_use_cases
from app.use_cases.refresh import RefreshRegistrations
from app.use_cases.rules import SenderType, obstacles
from app.users.current_user import CurrentUser
from app.web.bodies import load
from app.web.registry import get_service, reading

ON = "on"
EVERYWHERE, SOME = "everywhere", "some"
_DESTINATIONS = "allowed_destinations"
_BETWEEN_CODES = re.compile(r"[\s,;]+")
_PLACE = re.compile(rf"\$\.{_DESTINATIONS}\[(\d+)\]")
routes = Pages()
USE_CASES = "/console/use-cases"
_SHOWN = 50
_NEW = Form({"active": ON, "reach": EVERYWHERE})
USE_CASE = USE_CASES + "/{use_case_id}"


@dataclass(frozen=True, slots=True)
class Obstacle:
    label: str
    advice: str


OBSTACLES: dict[type[e.PublicError], Obstacle] = {
    e.UseCaseInactive: Obstacle("off", "The use case is off. Turn it on under Settings."),
    e.BrandSuspended: Obstacle(
        "brand suspended",
        "Twilio has suspended the brand. Resolve this with Twilio, then refresh the brand.",
    ),
    e.NoSenderNumber: Obstacle(
        "no sender", "There is no sender. Add one that is also in the Messaging Service at Twilio."
    ),
    e.CampaignNotVerified: Obstacle(
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


def naming_codes(path: str, text: str) -> tuple[str, str]:
    """Problems of single countries name the entered country."""
    found = _PLACE.fullmatch(path)
    if found is None:
        return path, text
    return _DESTINATIONS, f"{_codes(request.form)[int(found[1])]}: {text}"


def _codes(given: Mapping[str, str]) -> list[str]:
    typed = given.get(_DESTINATIONS, "").upper()
    return [code for code in _BETWEEN_CODES.split(typed) if code]


def _registration(given: Mapping[str, str], kind: str) -> dict[str, str] | None:
    sid = given.get(kind, "").strip()
    return {"sid": sid} if sid else None


class UseCaseSearch(ListSearch):
    makes = partial(UseCaseFilter, limit=_SHOWN)


@routes.get(USE_CASES, VIEWER)
def use_cases_page(current_user: CurrentUser, status: int = 200, form: Form = _NEW) -> Response:
    wanted = read_search(UseCaseSearch)
    with reading() as connection:
        found = load_use_cases(connection, current_user.principal, wanted)
    shown = listed(USE_CASES, found, _SHOWN)
    return page_answer("use_cases/list.html", status, **shown, form=form, obstacles_of=obstacles_of)


@routes.post(USE_CASES, ADMIN)
@refilling(use_cases_page, renaming=naming_codes)
def make_use_case(current_user: CurrentUser) -> Response:
    wanted = read_use_case(UseCaseBody)
    with changing(current_user.principal) as change:
        made = create_use_case(change, wanted)
    return redirect_with_flash(f"{USE_CASES}/{made.id}", "Use case created. Add a sender.")


@routes.get(USE_CASE, VIEWER)
def use_case_page(
    current_user: CurrentUser, use_case_id: UUID, status: int = 200, **forms: Form
) -> Response:
    """Raises `UseCaseNotFound`."""
    with reading() as connection:
        record = require_use_case(connection, current_user.principal, use_case_id)
    shown = {"form": form_of(record.row), "sender_form": NO_FORM, "registrations": NO_FORM} | forms
    return page_answer(
        "use_cases/one.html",
        status,
        row=record.row,
        senders=record.senders,
        stops=obstacles_of(record),
        sender_types=SENDER_TYPES,
        **shown,
    )


@routes.post(USE_CASE, ADMIN)
@refilling(use_case_page, renaming=naming_codes)
def save_use_case(current_user: CurrentUser, use_case_id: UUID) -> Response:
    wanted = read_use_case(UseCaseChange)
    with changing(current_user.principal) as change:
        check_unchanged(require_use_case(change.connection, change.principal, use_case_id).row)
        change_use_case(change, use_case_id, wanted)
    return redirect_with_flash(f"{USE_CASES}/{use_case_id}", "Saved. In effect for the next send.")


@routes.post(USE_CASE + "/delete", ADMIN)
def drop_use_case(current_user: CurrentUser, use_case_id: UUID) -> Response:
    with changing(current_user.principal) as change:
        delete_use_case(change, use_case_id)
    return redirect_with_flash(USE_CASES, "Use case deleted. Its messages are kept.")


@routes.post(USE_CASE + "/refresh", ADMIN)
def read_registrations(current_user: CurrentUser, use_case_id: UUID) -> Response:
    """Read brand and campaign from Twilio, without holding a connection."""
    with reading() as connection:
        require_use_case(connection, current_user.principal, use_case_id)
    read = get_service(RefreshRegistrations)(current_user.actor, use_case_id=use_case_id)
    problem = "Cannot refresh: the workspace has no Twilio account, or there is no brand."
    if read:
        problem = f"Twilio did not answer completely: {read[0].problem}. Known values are kept."
    if not read or read[0].problem is not None:
        failed = Form({}, {"": [problem]})
        return use_case_page(current_user, use_case_id, 503, registrations=failed)
    notice = "Refreshed." if read[0].changed else "Refreshed. Nothing has changed."
    return redirect_with_flash(f"{USE_CASES}/{use_case_id}", notice)


@routes.post(USE_CASE + "/senders", ADMIN)
@refilling(use_case_page, "sender_form")
def put_sender(current_user: CurrentUser, use_case_id: UUID) -> Response:
    wanted = _read_sender()
    with changing(current_user.principal) as change:
        add_sender(change, use_case_id, wanted)
    return redirect_with_flash(f"{USE_CASES}/{use_case_id}", "Sender added.")


@routes.post(USE_CASE + "/senders/{sender_id}/remove", ADMIN)
def take_sender(current_user: CurrentUser, use_case_id: UUID, sender_id: UUID) -> Response:
    with changing(current_user.principal) as change:
        remove_sender(change, use_case_id, sender_id)
    return redirect_with_flash(f"{USE_CASES}/{use_case_id}", "Sender removed.")


def _read_sender() -> NewSender:
    kind, number = request.form.get("type", ""), request.form.get("number", "").strip()
    # Spaces and hyphens are significant in alphanumeric senders only.
    tidied = number if kind == SenderType.ALPHANUMERIC else without_separators(number)
    found: NewSender = load(SenderBody(), {"number": tidied, "type": kind})
    return found
