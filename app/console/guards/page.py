"""The pages of guards and alerts."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from uuid import UUID

from flask import Response, request

from app.access.guard import changing
from app.access.principal import Role
from app.console.destinations.view import shown_workspace
from app.console.ui.forms import ListSearch, number_in, read_reason, refilled, searched_list
from app.console.ui.guard_labels import KINDS, MODES
from app.console.ui.guards import ADMIN, VIEWER, Pages
from app.console.ui.pages import Form, page_answer, redirect_with_flash, wanted_page
from app.destinations.manage import ChangeRequest
from app.guards.alerts import AlertKind
from app.guards.alerts_api import AlertFilter, AlertState, acknowledge, load_alerts
from app.guards.configuration import guards_json, parse_guards, parse_use_case_guards, use_case_json
from app.guards.edits import GuardEdit, explain_for_text
from app.guards.limits import (
    FIELDS,
    OF_USE_CASES,
    DeliverySign,
    GuardConfiguration,
    GuardName,
    Guards,
)
from app.guards.manage import DryRun, ManageGuards
from app.guards.store import find_use_cases
from app.kernel.errors import NotFound, Problems, RevisionMismatch, ValidationFailed
from app.kernel.ids import parse_id
from app.kernel.whole_numbers import read_whole_number
from app.use_cases.read import load_use_case_names
from app.users.current_user import CurrentUser
from app.web.fields import Choice
from app.web.registry import get_service, reading

_COUNTRIES = "countries"
_COUNTRY_FIELD = f"{GuardName.COUNTRY}.{_COUNTRIES}"
_PLACE = re.compile(r"\$\.(?:guards|use_cases\.[-\w]+)\.(\w+)(?:\.(\w+))?")
routes = Pages()
GUARDS = "/console/guards"
ALERTS = "/console/alerts"
_MOST_ALERTS = 40
_STATES = {"open": "Open", "cleared": "Cleared"}


def fields_of(*, is_use_case: bool) -> Mapping[str, tuple[str, ...]]:
    if not is_use_case:
        return FIELDS
    return {name: fields for name, fields in FIELDS.items() if name in OF_USE_CASES}


def form_of(guards: Mapping[str, Any]) -> Form:
    values: dict[str, str] = {}
    for name, limits in guards.items():
        values[f"{name}.mode"] = limits["mode"]
        for key in FIELDS[name]:
            values[f"{name}.{key}"] = _written(limits.get(key, DeliverySign.DELIVERED.value))
        if _COUNTRIES in limits:
            own = limits[_COUNTRIES].items()
            lines = [f"{c} {_written(one['hour'])} {_written(one['day'])}" for c, one in own]
            values[_COUNTRY_FIELD] = "\n".join(lines)
    return Form(values)


def body_of(form: Mapping[str, str], *, is_use_case: bool) -> dict[str, Any]:
    """Wrong values stay as entered."""
    body: dict[str, Any] = {}
    for name, fields in fields_of(is_use_case=is_use_case).items():
        guard: dict[str, Any] = {"mode": form.get(f"{name}.mode", "")}
        if is_use_case and not guard["mode"]:
            continue
        for key in fields:
            guard[key] = _value(name, form.get(f"{name}.{key}", ""))
        if name == GuardName.COUNTRY:
            guard[_COUNTRIES] = _countries(form.get(_COUNTRY_FIELD, ""))
        body[name] = guard
    return body


def _field_of(path: str, text: str) -> tuple[str, str]:
    found = _PLACE.match(path)
    if found is None:
        return "", text
    place = path[found.end() :].strip(".")
    field = f"{found[1]}.{found[2] or FIELDS[found[1]][0]}"
    text = explain_for_text(text, no_limit="empty").replace('"auto"', "auto")
    return field, f"{place}: {text}" if place else text


def _written(limit: object) -> str:
    return "" if limit is None else str(limit)


def _value(name: str, text: str) -> object:
    text = text.strip()
    if not text:
        return None
    return text if name == GuardName.SPEND else number_in(text)


def _countries(text: str) -> dict[str, dict[str, object]]:
    """Read lines of a country code and its limits by hour and day.

    Surplus numbers, and the numbers of a country's second line, stay as text: validation refuses
    them.
    """
    found: dict[str, dict[str, object]] = {}
    for line in text.splitlines():
        code, hour, day = [*line.replace(", ", " ").split(maxsplit=2), "", "", ""][:3]
        if code.upper() in found:
            hour = f"{found[code.upper()]['hour']} {hour}"
        if code:
            values = (_value(GuardName.COUNTRY, one) for one in (hour, day))
            found[code.upper()] = dict(zip(("hour", "day"), values, strict=True))
    return found


@dataclass(frozen=True, slots=True)
class _Shown:
    use_case_id: UUID | None = None
    form: Form | None = None
    revision: int | None = None
    preview: DryRun | None = None
    text: str = ""
    suggested_from: int | None = None
    problems: list[str] = field(default_factory=list)
    is_stale: bool = False


@routes.get(GUARDS, VIEWER)
def guards_page(current_user: CurrentUser) -> Response:
    if request.args.get("suggested") and current_user.permits(Role.ADMIN):
        found = get_service(ManageGuards).suggest(shown_workspace(current_user))
        form = form_of(guards_json(found.configuration.guards))
        return _page(current_user, _Shown(form=form, suggested_from=found.messages))
    return _page(current_user, _Shown(_use_case(request.args)))


@routes.post(GUARDS, ADMIN)
def change_guards(current_user: CurrentUser) -> Response:
    manage, workspace_id = get_service(ManageGuards), shown_workspace(current_user)
    use_case_id, given = _use_case(request.form), request.form.to_dict()
    body = body_of(request.form, is_use_case=use_case_id is not None)
    revision = read_whole_number(request.form.get("revision", "")) or 0
    text = f"{revision};{use_case_id};{json.dumps(body, sort_keys=True)}"
    is_shown = request.form.get("step") == "save" and request.form.get("shown") == text
    edit = _edit(body, use_case_id)
    try:
        reason = read_reason()
        asked = ChangeRequest(
            current_user.actor, reason, frozenset({revision}), dry_run=not is_shown
        )
        if is_shown:
            view = manage.change(workspace_id, edit, asked)
            notice = f"Saved as revision {view.stored.revision}. In effect for the next send."
            return redirect_with_flash(_path(use_case_id), notice)
        preview = manage.dry_run(workspace_id, edit, asked)
    except RevisionMismatch:
        return _page(current_user, _Shown(use_case_id, Form(given), is_stale=True), 412)
    except ValidationFailed as problem:
        return _page(current_user, _Shown(use_case_id, refilled(problem, _field_of), revision), 422)
    return _page(current_user, _Shown(use_case_id, Form(given), revision, preview, text))


def _use_case(given: Mapping[str, str]) -> UUID | None:
    text = given.get("use_case_id", "")
    found = parse_id(text)
    if text and found is None:
        raise NotFound
    return found


def _path(use_case_id: UUID | None) -> str:
    return GUARDS if use_case_id is None else f"{GUARDS}?use_case_id={use_case_id}"


def _edit(body: dict[str, Any], use_case_id: UUID | None) -> GuardEdit:

    def edit(before: GuardConfiguration, problems: Problems) -> GuardConfiguration:
        if use_case_id is None:
            return replace(before, guards=parse_guards(body, "$.guards", problems, Guards()))
        own = parse_use_case_guards(body, f"$.use_cases.{use_case_id}", problems)
        kept = {key: one for key, one in before.use_cases.items() if key != use_case_id}
        return replace(before, use_cases=kept | ({use_case_id: own} if own else {}))

    return edit


def _page(current_user: CurrentUser, shown: _Shown, status: int = 200) -> Response:
    workspace_id, use_case_id = shown_workspace(current_user), shown.use_case_id
    view = get_service(ManageGuards).load(workspace_id)
    with reading() as connection:
        names = load_use_case_names(connection, current_user.principal)
        known = find_use_cases(connection, workspace_id)
    stored = view.stored
    own = {key: use_case_json(one) for key, one in stored.configuration.use_cases.items()}
    if use_case_id not in {None, *known}:
        raise NotFound
    fields = fields_of(is_use_case=use_case_id is not None)
    values = guards_json(stored.configuration.guards)
    if use_case_id is not None:  # a guard that it does not have shows the limits of the workspace
        values = {name: values[name] | {"mode": ""} for name in fields} | own.get(use_case_id, {})
    return page_answer(
        "guards/page.html",
        status,
        shown=shown,
        form=shown.form or form_of(values),
        revision=stored.revision if shown.revision is None else shown.revision,
        auto=view.auto,
        path=_path(use_case_id),
        use_cases=[(key, name, own.get(key, {})) for key, name in names.items() if key in known],
        fields=fields,
        modes=MODES if use_case_id is None else {"": "Same as workspace", **MODES},
    )


class AlertSearch(ListSearch):
    kind = Choice(AlertKind)
    state = Choice(AlertState)
    makes = partial(AlertFilter, _MOST_ALERTS)


@routes.get(ALERTS, VIEWER)
def alerts_page(current_user: CurrentUser) -> Response:
    with reading() as connection:
        find = partial(load_alerts, connection, current_user.principal)
        found = searched_list(ALERTS, AlertSearch, find)
    return page_answer(
        "guards/alerts.html",
        **found,
        kinds=[("", "Any kind"), *KINDS.items()],
        states=[("", "Any status"), *_STATES.items()],
    )


@routes.post(ALERTS + "/{alert_id}/acknowledge", ADMIN)
def mark_alert_as_seen(current_user: CurrentUser, alert_id: UUID) -> Response:
    with changing(current_user.principal) as change:
        acknowledge(change, alert_id)
    return redirect_with_flash(wanted_page(ALERTS), "Acknowledged.")
