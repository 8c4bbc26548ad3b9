"""Routes of rules, inheritance and history."""

from typing import Any
from uuid import UUID

from flask import Response

from app.access.guard import Requires
from app.access.principal import Principal, Role
from app.db.engine import Database
from app.destinations import changes
from app.destinations.api.history import load_history, render_revision, rule_changes, write_csv
from app.destinations.api.http import (
    ANSWER_HEADERS,
    CHANGE_ERRORS,
    DRY_RUN,
    PATH,
    DryRunView,
    check_capability,
    configuration_answer,
    dry_run_answer,
    make_change,
    open_workspace,
    policy_answer,
    reader_of,
)
from app.destinations.api.schemas import (
    DestinationManagement,
    HistoryFilter,
    HistoryQuery,
    InheritanceBody,
    InheritanceView,
    RevisionPage,
    RuleBody,
    RulePage,
    RuleView,
    WantedRule,
)
from app.destinations.policy.evaluate import Rule
from app.destinations.storage.load import EffectivePolicy
from app.destinations.storage.store import rule_json
from app.kernel import errors as e
from app.kernel.clock import Clock
from app.kernel.ids import new_id
from app.kernel.whole_numbers import read_whole_number
from app.web.bodies import JsonBody, Query
from app.web.conditions import CHANGE_HEADERS
from app.web.pages import page
from app.web.registry import get_service
from app.web.routes import Answer, Routes

routes = Routes("Destination management", answer_headers=ANSWER_HEADERS)
_RULE: JsonBody[WantedRule] = JsonBody(RuleBody)
_INHERIT: JsonBody[bool] = JsonBody(InheritanceBody)
_HISTORY: Query[HistoryFilter] = Query(HistoryQuery)


@routes.add(
    "GET",
    PATH + "/rules",
    guard=Requires(Role.VIEWER),
    answers={200: RulePage},
    errors=(e.NotFound,),
)
def list_rules(principal: Principal, workspace_id: UUID, capability: str) -> Answer:
    """List the rules finer than the country map, oldest first."""
    with get_service(Database).reading() as connection:
        effective = open_workspace(connection, principal, workspace_id, capability)
    rules = reader_of(principal).rules(effective.state.rules, effective.owner_id)
    items = [rule_json(rule) for rule in rules]
    return policy_answer(effective, {"items": items, "next_page_token": None})


@routes.add(
    "POST",
    PATH + "/rules",
    guard=Requires(Role.ADMIN),
    body=_RULE,
    query=DRY_RUN,
    headers=CHANGE_HEADERS,
    answers={201: RuleView, 200: DryRunView},
    errors=CHANGE_ERRORS,
)
def create_rule(principal: Principal, workspace_id: UUID, capability: str) -> Answer:
    """Add a rule; one of the same kind and value takes the place of the older."""
    check_capability(capability)
    wanted = _RULE.read()
    now = get_service(Clock).now()
    rule = Rule(
        rule_id=new_id(),
        kind=wanted.kind,
        value=wanted.value,
        action=wanted.action,
        expires_at=wanted.expires_at,
        reason=wanted.reason,
        created_at=now,
    )
    change = changes.add_rule(rule, now, wanted.acknowledge_high_risk)
    changed, dry_run = make_change(principal, workspace_id, capability, change)
    if dry_run:
        return dry_run_answer(changed)
    return policy_answer(changed.effective, rule_json(rule), 201)


@routes.add(
    "DELETE",
    PATH + "/rules/{rule_id}",
    guard=Requires(Role.ADMIN),
    query=DRY_RUN,
    headers=CHANGE_HEADERS,
    answers={204: None, 200: DryRunView},
    errors=CHANGE_ERRORS,
)
def delete_rule(principal: Principal, workspace_id: UUID, capability: str, rule_id: UUID) -> Answer:
    """Take a rule away."""
    change = changes.drop_rule(rule_id)
    changed, dry_run = make_change(principal, workspace_id, capability, change)
    if dry_run:
        return dry_run_answer(changed)
    return Response(status=204, headers={"ETag": f'"{changed.effective.revision}"'})


@routes.add(
    "GET",
    PATH + "/inheritance",
    guard=Requires(Role.VIEWER),
    answers={200: InheritanceView},
    errors=(e.NotFound,),
)
def get_inheritance(principal: Principal, workspace_id: UUID, capability: str) -> Answer:
    """Return whether the workspace inherits, and which workspace owns the policy."""
    with get_service(Database).reading() as connection:
        effective = open_workspace(connection, principal, workspace_id, capability)
    return policy_answer(effective, _inheritance(effective))


@routes.add(
    "PUT",
    PATH + "/inheritance",
    guard=Requires(Role.ADMIN),
    body=_INHERIT,
    query=DRY_RUN,
    headers=CHANGE_HEADERS,
    answers={200: (InheritanceView, DryRunView)},
    errors=CHANGE_ERRORS,
)
def set_inheritance(principal: Principal, workspace_id: UUID, capability: str) -> Answer:
    """Follow the parent, or leave it and start from a copy of its policy."""
    check_capability(capability)
    change = changes.change_inheritance(inherit=_INHERIT.read())
    changed, dry_run = make_change(principal, workspace_id, capability, change)
    if dry_run:
        return dry_run_answer(changed)
    return policy_answer(changed.effective, _inheritance(changed.effective))


def _inheritance(effective: EffectivePolicy) -> dict[str, Any]:
    parent = effective.parent_id
    return {
        "inherit": effective.inherits,
        "parent_workspace_id": None if parent is None else str(parent),
        "owner_workspace_id": str(effective.owner_id),
    }


@routes.add(
    "GET",
    PATH + "/history",
    guard=Requires(Role.VIEWER),
    query=_HISTORY,
    answers={200: (RevisionPage, "text/csv")},
    errors=(e.NotFound,),
)
def list_history(principal: Principal, workspace_id: UUID, capability: str) -> Answer:
    """List the history, newest first, as JSON or CSV."""
    wanted, reader = _HISTORY.read(), reader_of(principal)
    with get_service(Database).reading() as connection:
        effective = open_workspace(connection, principal, workspace_id, capability)
        rows = load_history(connection, workspace_id, wanted)
    if wanted.as_csv:
        text = write_csv(rows, wanted.limit, reader)
        return Response(text, mimetype="text/csv", headers={"ETag": f'"{effective.revision}"'})
    rules = rule_changes(rows, reader)
    body = page(
        rows,
        wanted.limit,
        lambda row: row.id,
        lambda row: render_revision(row, rules[row.revision], reader),
    )
    return policy_answer(effective, body)


@routes.add(
    "POST",
    PATH + "/history/{revision}/restore",
    guard=Requires(Role.ADMIN),
    query=DRY_RUN,
    headers=CHANGE_HEADERS,
    answers={200: (DestinationManagement, DryRunView)},
    errors=(e.BadRequest, *CHANGE_ERRORS),
)
def restore_revision(
    principal: Principal, workspace_id: UUID, capability: str, revision: str
) -> Answer:
    """Go back to how the policy was after a revision; this is a revision of its own."""
    number = read_whole_number(revision)
    if number is None:
        raise e.BadRequest("revision in the path is not a number.")
    change = changes.restore_policy(number, get_service(Clock).now())
    changed, dry_run = make_change(principal, workspace_id, capability, change)
    return configuration_answer(changed, dry_run=dry_run)
