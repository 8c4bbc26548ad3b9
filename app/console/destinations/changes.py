"""Pages that preview a single change, and make it at a second submit."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias
from uuid import UUID

from flask import Response, request
from sqlalchemy import Connection

from app.access.principal import Role
from app.console.destinations.view import (
    DestinationsView,
    dry_run_change,
    load_destinations_view,
    shown_workspace,
)
from app.console.ui.forms import listed, parse_time, read_form, read_reason, refilled
from app.console.ui.guards import ADMIN, VIEWER, Pages
from app.console.ui.pages import DESTINATIONS, NO_FORM, Form, page_answer, redirect_with_flash
from app.destinations.api.document import load_history, rule_changes, rule_content
from app.destinations.api.schemas import HistoryFilter, HistoryQuery, RuleBody, WantedRule
from app.destinations.changes import HIGH_RISK, AddRule, RemoveRule, RestoreRevision, SetInheritance
from app.destinations.manage import ChangeRequest, ManageDestinations, PolicyChange
from app.destinations.policy.evaluate import RULE_KINDS
from app.destinations.storage.policies import load_revision
from app.kernel.errors import DestinationsInherited, NotFound, RevisionMismatch, ValidationFailed
from app.kernel.whole_numbers import read_whole_number
from app.users.current_user import CurrentUser
from app.web.registry import current_time, get_service, reading

_STALE = 412
_CONFIRM = "high-risk. Confirm below to allow it."
_IS_RISK = re.compile(r"Opens (..), which the provider calls high-risk: .*")
# Renders the page of a change: with its status, and with the problems of its form.
_Page: TypeAlias = Callable[[int, Form | None], Response]
routes = Pages()
RULES = f"{DESTINATIONS}/rules"
INHERITANCE = f"{DESTINATIONS}/inheritance"
HISTORY = f"{DESTINATIONS}/history"


@dataclass(frozen=True, slots=True)
class _Proposal:
    """A change; ``text`` identifies it in the form that has shown its effect."""

    change: PolicyChange
    text: str
    removed_id: UUID | None = None


def _asking(path: str, text: str) -> tuple[str, str]:
    """The API's acknowledgement field is a check box."""
    found = _IS_RISK.fullmatch(text)
    code = request.form.get("value", "") if text == HIGH_RISK else found and found[1]
    return path, text if code is None else f"Twilio rates {code} {_CONFIRM}"


def _previewed(
    connection: Connection, view: DestinationsView, proposal: _Proposal | None, status: int
) -> dict[str, Any]:
    """Return the values of ``dry_run.html``."""
    dry_run = None if proposal is None else dry_run_change(connection, view, proposal.change)
    return {"view": view, "proposal": proposal, "dry_run": dry_run, "is_stale": status == _STALE}


def _confirm(
    current_user: CurrentUser,
    proposal: _Proposal,
    page: _Page,
    *,
    path: str,
    notice: str,
    unseen: str = "",
) -> Response:
    """Make a change at the revision of its preview; without one, show its page."""
    try:
        if request.form.get("shown") != proposal.text:
            return page(422, Form(errors={"": [unseen]})) if unseen else page(200, None)
        given = read_whole_number(request.form.get("revision", ""))
        shown_for = frozenset(() if given is None else {given})
        asked = ChangeRequest(current_user.actor, read_reason(), shown_for)
        manage, workspace_id = get_service(ManageDestinations), shown_workspace(current_user)
        made = manage(workspace_id, proposal.change, asked)
    except RevisionMismatch:
        return page(_STALE, None)
    except DestinationsInherited as inherited:
        return page(409, Form(errors={"": [inherited.text]}))
    except ValidationFailed as problem:
        return page(422, refilled(problem, _asking))
    return redirect_with_flash(path, notice.format(revision=made.effective.revision))


@routes.get(RULES, VIEWER)
def rules_page(
    current_user: CurrentUser,
    status: int = 200,
    problem: Form | None = None,
    proposal: _Proposal | None = None,
) -> Response:
    with reading() as connection:
        view = load_destinations_view(connection, current_user)
        shown = _previewed(connection, view, None if problem else proposal, status)
    form = problem or Form(request.form if proposal and not proposal.removed_id else {})
    acknowledged, texts = form.chosen("acknowledge_high_risk"), form.errors_of("value")
    return page_answer(
        "destinations/rules.html",
        status,
        form=form,
        no_form=NO_FORM,
        kinds=[(kind, traits.label) for kind, traits in RULE_KINDS.items()],
        risks=acknowledged + [text.split()[2] for text in texts if text.endswith(_CONFIRM)],
        **shown,
    )


@routes.post(RULES, ADMIN)
def propose_rule(current_user: CurrentUser) -> Response:
    try:
        wanted: WantedRule = read_form(RuleBody, **parse_time("expires_at"))
    except ValidationFailed as problem:
        return rules_page(current_user, 422, refilled(problem, _asking))
    change = AddRule(wanted.rule(current_time()), wanted.acknowledge_high_risk)
    text = repr([*map(str, rule_content(wanted)), *wanted.acknowledge_high_risk])
    proposal, notice = _Proposal(change, text), "Rule added. In effect for the next send."
    page = partial(rules_page, current_user, proposal=proposal)
    return _confirm(current_user, proposal, page, path=RULES, notice=notice)


@routes.post(f"{RULES}/{{rule_id}}/remove", ADMIN)
def remove_rule_from_page(current_user: CurrentUser, rule_id: UUID) -> Response:
    proposal = _Proposal(RemoveRule(rule_id), f"remove {rule_id}", rule_id)
    page = partial(rules_page, current_user, proposal=proposal)
    return _confirm(current_user, proposal, page, path=RULES, notice="Rule removed.")


@routes.get(INHERITANCE, VIEWER)
def inheritance_page(
    current_user: CurrentUser, status: int = 200, form: Form | None = None
) -> Response:
    with reading() as connection:
        view = load_destinations_view(connection, current_user)
        effective, proposal = view.effective, None
        if current_user.permits(Role.ADMIN) and (effective.parent_id or effective.inherits):
            proposal = _switch(inherit=not effective.inherits)
        shown = _previewed(connection, view, proposal, status)
    return page_answer("destinations/inheritance.html", status, form=form or NO_FORM, **shown)


@routes.post(INHERITANCE, ADMIN)
def switch_inheritance(current_user: CurrentUser) -> Response:
    notice = "No longer inheriting. This workspace has its own policy."
    inherit = request.form.get("inherit") == "true"
    if inherit:
        notice = "Now inheriting from the parent."
    proposal, page = _switch(inherit=inherit), partial(inheritance_page, current_user)
    unseen = "Review the effect, then confirm."
    return _confirm(current_user, proposal, page, path=INHERITANCE, notice=notice, unseen=unseen)


def _switch(*, inherit: bool) -> _Proposal:
    return _Proposal(SetInheritance(inherit), f"inherit {inherit}")


@routes.get(HISTORY, VIEWER, query=HistoryQuery)
def history_page(current_user: CurrentUser, query: HistoryFilter) -> Response:
    with reading() as connection:
        view = load_destinations_view(connection, current_user)
        rows = load_history(connection, view.effective.workspace_id, query)
    return page_answer(
        "destinations/history.html",
        view=view,
        rule_changes=rule_changes(rows, view.reader),
        **listed(HISTORY, rows, query.limit),
    )


@routes.get(f"{HISTORY}/{{revision}}", VIEWER)
def revision_page(
    current_user: CurrentUser, revision: str, status: int = 200, form: Form | None = None
) -> Response:
    number = _number(revision)
    with reading() as connection:
        view = load_destinations_view(connection, current_user)
        row = load_revision(connection, view.effective.workspace_id, number)
        shown = _previewed(connection, view, _restore(number) if view.may_change else None, status)
    return page_answer("destinations/revision.html", status, row=row, form=form or NO_FORM, **shown)


@routes.post(f"{HISTORY}/{{revision}}/restore", ADMIN)
def restore_from_page(current_user: CurrentUser, revision: str) -> Response:
    number = _number(revision)
    notice = f"Revision {number} is restored as revision {{revision}}."
    proposal, page = _restore(number), partial(revision_page, current_user, revision)
    unseen = "Review the effect, then restore."
    return _confirm(current_user, proposal, page, path=HISTORY, notice=notice, unseen=unseen)


def _restore(number: int) -> _Proposal:
    return _Proposal(RestoreRevision(number), f"restore {number}")


def _number(revision: str) -> int:
    found = read_whole_number(revision)
    if found is None:
        raise NotFound
    return found
