"""Manage Destinations: changes are collected on the page and made by Save; suspending.

Save makes exactly the previewed changes, at the previewed revision, or nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from flask import Response, request
from sqlalchemy import Connection

from app.access.guard import changing
from app.access.principal import Role
from app.console.destinations.view import (
    DURATIONS,
    DestinationsView,
    PendingChanges,
    by_name,
    country_options,
    load_destinations_view,
    preview_changes,
    problems_by_country,
    read_pending_changes,
    shown_workspace,
)
from app.console.ui.forms import read_form, read_reason, refilled, refilling
from app.console.ui.guards import ADMIN, VIEWER, Pages
from app.console.ui.pages import (
    DESTINATIONS,
    NO_FORM,
    Form,
    page_answer,
    redirect_with_flash,
    wanted_page,
)
from app.db.rows import AnyRow
from app.destinations.api.document import load_history
from app.destinations.api.schemas import HistoryFilter
from app.destinations.changes import Adjust
from app.destinations.manage import ChangeRequest, ManageDestinations
from app.destinations.policy.state import DENIED
from app.kernel.countries import is_country
from app.kernel.errors import DestinationsInherited, RevisionMismatch, ValidationFailed
from app.tenancy.api import ReasonBody
from app.tenancy.workspaces import set_suspended
from app.users.current_user import CurrentUser
from app.web.registry import current_time, get_service, reading

routes = Pages()
_MOST_REVISIONS = 20
SAVE = "save"


@dataclass(frozen=True, slots=True)
class Draft:
    """``shown`` identifies the previewed changes."""

    pending_changes: PendingChanges
    step: str = ""
    country: str = ""
    hours: int | None = None
    shown: str = ""
    reason: str | None = None
    acknowledged: tuple[str, ...] = ()
    form: Form = field(default_factory=Form)

    @property
    def is_ready(self) -> bool:
        """Whether to save: the page has shown all changes."""
        return self.step == SAVE and not self.country and not self.form.errors and self.was_shown

    @property
    def was_shown(self) -> bool:
        return bool(self.pending_changes) and self.shown == self.pending_changes.text

    def after_step(self, view: DestinationsView) -> "Draft":
        """Apply the pressed button; a country still selected when saving counts as added."""
        step, _, code = self.step.partition(":")
        draft = self
        if step == "toggle":  # a click on the map
            is_pending = code in self.pending_changes.countries
            step = "undo" if is_pending else "remove" if code in view.listed else "add"
        if step == "add" or (step == SAVE and self.country):
            draft = self._adding(view, code or self.country)
        elif step == "remove" and code in view.listed:
            draft = replace(self, pending_changes=self.pending_changes.blocking(code))
        elif step in {"remove", "undo"}:
            draft = replace(self, pending_changes=self.pending_changes.without(code))
        elif step == SAVE and not self.pending_changes:
            draft = self._with_problem("", "There is nothing to save.")
        counted = view.effective.revision
        return replace(
            draft,
            pending_changes=draft.pending_changes.seen_from(counted, view.allowed, view.listed),
        )

    def _adding(self, view: DestinationsView, code: str) -> "Draft":
        if not is_country(code):
            return self._with_problem("country", "Select a country.")
        if code in view.effective.denied_by_organization:
            return self._with_problem("country", DENIED)
        if code in self.pending_changes.block:  # it is only marked: removing the mark is enough
            return replace(self, pending_changes=self.pending_changes.without(code), country="")
        if code in view.allowed and view.allowed[code] is None:
            return self._with_problem("country", "This country is already allowed.")
        return replace(
            self,
            pending_changes=self.pending_changes.allowing(code, self.hours),
            country="",
            hours=None,
        )

    def _with_problem(self, name: str, problem: str) -> "Draft":
        return replace(self, form=Form(self.form.values, {name: [problem]}))


def read_draft() -> Draft:
    given = request.form
    wrong: Mapping[str, list[str]] = {}
    try:
        reason = read_reason()
    except ValidationFailed as problem:
        reason, wrong = None, refilled(problem).errors
    hours = given.get("hours", "")
    return Draft(
        pending_changes=read_pending_changes(given),
        step=given.get("step", SAVE),
        country=given.get("country", ""),
        hours=int(hours) if hours in {str(one) for one in DURATIONS} else None,
        shown=given.get("shown", ""),
        reason=reason,
        acknowledged=tuple(given.getlist("acknowledge")),
        form=Form({"reason": given.get("reason", "")}, wrong),
    )


@routes.get(DESTINATIONS, VIEWER)
def destinations_page(current_user: CurrentUser) -> Response:
    """``allow``, ``block`` and ``country`` in the URL mark or select countries, without saving."""
    chosen = request.args.get("country", "")
    marked = Draft(read_pending_changes(request.args), country=chosen if is_country(chosen) else "")
    is_marked = marked.pending_changes or marked.country
    return show(
        current_user, marked=marked if is_marked and current_user.permits(Role.ADMIN) else None
    )


@routes.post(DESTINATIONS, ADMIN)
def change_destinations(current_user: CurrentUser) -> Response:
    draft = read_draft()
    if not draft.is_ready:
        return show(current_user, draft)
    try:
        return _save(current_user, draft)
    except RevisionMismatch:
        return show(current_user, draft, 412)
    except DestinationsInherited as inherited:
        return show(current_user, replace(draft, form=Form(errors={"": [inherited.text]})), 409)
    except ValidationFailed as problem:
        errors = {f"country:{c}": texts for c, texts in problems_by_country(problem).items()}
        return show(current_user, replace(draft, form=Form(draft.form.values, errors)), 422)


@routes.post(f"{DESTINATIONS}/preview", ADMIN)
def preview_destinations(current_user: CurrentUser) -> Response:
    draft = read_draft()
    draft = replace(draft, step="") if draft.step == SAVE else draft
    return show(current_user, draft, is_part=True)


def show(
    current_user: CurrentUser,
    draft: Draft | None = None,
    status: int = 200,
    *,
    is_part: bool = False,
    suspension_form: Form = NO_FORM,
    marked: Draft | None = None,
) -> Response:
    with reading() as connection:
        view = load_destinations_view(connection, current_user)
        if marked is not None:
            revision = view.effective.revision
            draft = replace(
                marked, pending_changes=replace(marked.pending_changes, revision=revision)
            )
        base = draft.pending_changes.revision if draft else view.effective.revision
        after = (draft or Draft(PendingChanges(base))).after_step(view)
        can_save = bool(after.pending_changes) and view.may_change
        preview = preview_changes(connection, view, after.pending_changes) if can_save else None
        since = _since(connection, view, base)
    return page_answer(
        "destinations/page.html",
        422 if not is_part and status == 200 and after.form.errors else status,  # noqa: PLR2004
        view=view,
        draft=after,
        preview=preview,
        listed=view.listed,
        shown_codes=by_name({*view.listed, *after.pending_changes.opened}),
        since=since,
        is_part=is_part,
        is_stale=base != view.effective.revision,
        wanted=draft.pending_changes if draft else PendingChanges(base),
        options=country_options(),
        durations=DURATIONS,
        suspension_form=suspension_form,
    )


def _save(current_user: CurrentUser, draft: Draft) -> Response:
    now = current_time()
    change = Adjust(draft.pending_changes.adjustment(now), draft.reason, draft.acknowledged)
    asked = ChangeRequest(
        current_user.actor, draft.reason, frozenset({draft.pending_changes.revision}), dry_run=False
    )
    changed = get_service(ManageDestinations)(shown_workspace(current_user), change, asked)
    notice = f"Saved as revision {changed.effective.revision}. In effect for the next send."
    return redirect_with_flash(DESTINATIONS, notice)


def _since(connection: Connection, view: DestinationsView, base: int) -> list[AnyRow]:
    if base == view.effective.revision:
        return []
    rows = load_history(connection, view.effective.workspace_id, HistoryFilter(_MOST_REVISIONS))
    return [row for row in rows if row.revision > base]


@routes.post(f"{DESTINATIONS}/suspend", ADMIN, aliases=(f"{DESTINATIONS}/freeze",))
@refilling(show, "suspension_form")
def suspend(current_user: CurrentUser) -> Response:
    return _set(current_user, suspended=True, notice="Suspended. Every send is refused.")


@routes.post(f"{DESTINATIONS}/resume", ADMIN, aliases=(f"{DESTINATIONS}/thaw",))
@refilling(show, "suspension_form")
def resume(current_user: CurrentUser) -> Response:
    return _set(current_user, suspended=False, notice="Resumed. Sends are accepted again.")


def _set(current_user: CurrentUser, *, suspended: bool, notice: str) -> Response:
    workspace_id, reason = shown_workspace(current_user), read_form(ReasonBody).strip()
    with changing(current_user.principal) as change:
        set_suspended(change, workspace_id, reason=reason, suspended=suspended)
    return redirect_with_flash(wanted_page(DESTINATIONS), notice)
