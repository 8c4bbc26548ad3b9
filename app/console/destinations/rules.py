"""The page of rules for numbers, prefixes and countries."""

from dataclasses import dataclass, field
from uuid import UUID

from flask import Response, request

from app.console.destinations.confirm import (
    PolicyPreview,
    dry_run_change,
    is_confirmed,
    make_confirmed,
)
from app.console.destinations.view import load_destinations_view, shown_workspace
from app.console.ui.forms import parse_time, read_form, read_reason, refilled
from app.console.ui.guards import ADMIN, VIEWER, Pages
from app.console.ui.pages import DESTINATIONS, Form, page_answer, redirect_with_flash
from app.destinations.api.document import rule_content
from app.destinations.api.schemas import RuleBody, WantedRule
from app.destinations.changes import HIGH_RISK, AddRule, RemoveRule
from app.destinations.manage import PolicyChange
from app.destinations.policy.evaluate import RULE_KINDS
from app.kernel.errors import DestinationsInherited, RevisionMismatch, ValidationFailed
from app.users.current_user import CurrentUser
from app.web.registry import current_time, reading

routes = Pages()
PATH = f"{DESTINATIONS}/rules"
_ASK = "Twilio rates this country high-risk. Confirm below to allow it."


@dataclass(frozen=True, slots=True)
class _Wanted:
    change: PolicyChange
    text: str
    removed_id: UUID | None = None
    form: Form = field(default_factory=Form)


@routes.get(PATH, VIEWER)
def rules_page(current_user: CurrentUser) -> Response:
    return _page(current_user)


@routes.post(PATH, ADMIN)
def propose_rule(current_user: CurrentUser) -> Response:
    """Preview a rule, then add it."""
    try:
        wanted: WantedRule = read_form(RuleBody, **parse_time("expires_at"))
    except ValidationFailed as problem:
        return _page(current_user, status=422, form=_refilled(problem))
    change = AddRule(wanted.rule(current_time()), wanted.acknowledge_high_risk)
    text = repr([*map(str, rule_content(wanted)), *wanted.acknowledge_high_risk])
    form = Form(request.form.to_dict())
    return _make(
        current_user, _Wanted(change, text, form=form), "Rule added. In effect for the next send."
    )


@routes.post(f"{PATH}/{{rule_id}}/remove", ADMIN)
def remove_rule_from_page(current_user: CurrentUser, rule_id: UUID) -> Response:
    wanted = _Wanted(RemoveRule(rule_id), f"remove {rule_id}", rule_id)
    return _make(current_user, wanted, "Rule removed.")


def _make(current_user: CurrentUser, wanted: _Wanted, notice: str) -> Response:
    try:
        if is_confirmed(wanted.text):
            try:
                make_confirmed(
                    current_user, shown_workspace(current_user), wanted.change, read_reason()
                )
            except RevisionMismatch:
                return _page(current_user, wanted, 412, wanted.form)
            return redirect_with_flash(PATH, notice)
        return _page(current_user, wanted, 200, wanted.form)
    except DestinationsInherited as inherited:
        return _page(current_user, status=409, form=Form(errors={"": [inherited.text]}))
    except ValidationFailed as problem:
        return _page(current_user, status=422, form=_refilled(problem))


def _page(
    current_user: CurrentUser,
    wanted: _Wanted | None = None,
    status: int = 200,
    form: Form | None = None,
) -> Response:
    dry_run: PolicyPreview | None = None
    with reading() as connection:
        view = load_destinations_view(connection, current_user)
        if wanted is not None:
            dry_run = dry_run_change(
                connection, current_user, view.effective.workspace_id, wanted.change, wanted.text
            )
    form = form or Form()
    return page_answer(
        current_user,
        "destinations/rules.html",
        status,
        view=view,
        form=form,
        no_form=Form(),
        kinds=[(kind, traits.label) for kind, traits in RULE_KINDS.items()],
        dry_run=dry_run,
        removed_id=wanted.removed_id if wanted else None,
        is_stale=status == 412,  # noqa: PLR2004
        asks_risk=_ASK in form.errors_of("value") or bool(form.value("acknowledge_high_risk")),
    )


def _refilled(problem: ValidationFailed) -> Form:
    """The API's acknowledgement field becomes a check box."""
    form = refilled(problem)
    errors = {
        name: [_ASK if text == HIGH_RISK else text for text in texts]
        for name, texts in form.errors.items()
    }
    return Form(form.values, errors)
