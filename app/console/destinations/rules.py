"""The page of rules for numbers, prefixes and countries."""

from dataclasses import dataclass, field
from uuid import UUID

from flask import request

from app.access.roles import Role
from app.console.destinations.confirmation import (
    Trial,
    given_reason,
    is_confirmed,
    make_confirmed,
    try_change,
)
from app.console.destinations.sight import load_sight, place_of
from app.console.forms import Form, read_form, refilled
from app.console.guard import Visits
from app.console.navigation import DESTINATIONS
from app.console.pages import go_to, page_answer
from app.console.typed_times import typed_time
from app.db.engine import Database
from app.destinations.changes import add_rule, drop_rule
from app.destinations.document import content_of
from app.destinations.high_risk import HIGH_RISK
from app.destinations.manage import Change
from app.destinations.policy import Rule
from app.destinations.schemas import RuleBody, WantedRule
from app.kernel.clock import Clock
from app.kernel.errors import DestinationsInherited, RevisionMismatch, ValidationFailed
from app.kernel.ids import new_id
from app.people.visitor import Visitor
from app.web.routes import Answer, Routes
from app.web.wiring import service

routes = Routes("Console", described=False)
PATH = f"{DESTINATIONS}/rules"
_ASK = "Twilio rates this country high-risk. Confirm below to allow it."
_ANSWERS = {303: None, **dict.fromkeys((200, 409, 412, 422), "text/html")}


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The change to preview, and the rule that it would remove, if any."""

    change: Change
    text: str
    removed_id: UUID | None = None
    form: Form = field(default_factory=Form)


@routes.add("GET", PATH, guard=Visits(Role.VIEWER), answers={200: "text/html"})
def rules_page(visitor: Visitor) -> Answer:
    """List the rules, oldest first."""
    return _page(visitor)


@routes.add("POST", PATH, guard=Visits(Role.ADMIN), answers=_ANSWERS)
def propose_rule(visitor: Visitor) -> Answer:
    """Preview a rule, then add it."""
    try:
        wanted: WantedRule = read_form(RuleBody, **typed_time("expires_at"))
    except ValidationFailed as problem:
        return _page(visitor, status=422, form=_refilled(problem))
    now = service(Clock).now()
    rule = Rule(
        rule_id=new_id(),
        kind=wanted.kind,
        value=wanted.value,
        action=wanted.action,
        expires_at=wanted.expires_at,
        reason=wanted.reason,
        created_at=now,
    )
    change = add_rule(rule, now, wanted.acknowledge_high_risk)
    text = repr([*map(str, content_of(wanted)), *wanted.acknowledge_high_risk])
    form = Form(request.form.to_dict())
    return _make(
        visitor, _Wanted(change, text, form=form), "Rule added. In effect for the next send."
    )


@routes.add("POST", f"{PATH}/{{rule_id}}/remove", guard=Visits(Role.ADMIN), answers=_ANSWERS)
def remove_rule(visitor: Visitor, rule_id: UUID) -> Answer:
    """Preview the removal of a rule, then remove it."""
    wanted = _Wanted(drop_rule(rule_id), f"remove {rule_id}", rule_id)
    return _make(visitor, wanted, "Rule removed.")


def _make(visitor: Visitor, wanted: _Wanted, told: str) -> Answer:
    """Make the previewed change, or preview it."""
    try:
        if is_confirmed(wanted.text):
            try:
                make_confirmed(visitor, place_of(visitor), wanted.change, given_reason())
            except RevisionMismatch:
                return _page(visitor, wanted, 412, wanted.form)
            return go_to(PATH, told)
        return _page(visitor, wanted, 200, wanted.form)
    except DestinationsInherited as inherited:
        return _page(visitor, status=409, form=Form(errors={"": [inherited.text]}))
    except ValidationFailed as problem:
        return _page(visitor, status=422, form=_refilled(problem))


def _page(
    visitor: Visitor, wanted: _Wanted | None = None, status: int = 200, form: Form | None = None
) -> Answer:
    trial: Trial | None = None
    with service(Database).reading() as connection:
        sight = load_sight(connection, visitor)
        if wanted is not None:
            trial = try_change(
                connection, visitor, sight.effective.workspace_id, wanted.change, wanted.text
            )
    form = form or Form()
    return page_answer(
        visitor,
        "destinations/rules.html",
        status,
        sight=sight,
        form=form,
        no_form=Form(),
        trial=trial,
        removed_id=wanted.removed_id if wanted else None,
        is_stale=status == 412,  # noqa: PLR2004
        asks_risk=_ASK in form.errors_of("value") or bool(form.value("acknowledge_high_risk")),
    )


def _refilled(problem: ValidationFailed) -> Form:
    """Return the form again, with the API's acknowledgement field as a check box."""
    form = refilled(problem)
    errors = {
        name: [_ASK if text == HIGH_RISK else text for text in texts]
        for name, texts in form.errors.items()
    }
    return Form(form.values, errors)
