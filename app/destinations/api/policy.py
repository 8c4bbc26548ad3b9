"""Routes of rules, inheritance, history, checks, refusals and geo permissions."""

from dataclasses import replace
from uuid import UUID

from flask import Response
from marshmallow import fields

from app.access.guard import ADMIN, VIEWER
from app.access.principal import Principal
from app.db.rows import PageFilter
from app.destinations import changes
from app.destinations.api.configuration import (
    CHANGE,
    CHANGED,
    PATH,
    ROUTES,
    DryRunView,
    changed_answer,
    make_change,
    open_workspace,
    policy_answer,
)
from app.destinations.api.document import (
    PolicyReader,
    load_history,
    render_revision,
    rule_changes,
    write_csv,
)
from app.destinations.api.schemas import (
    CheckBody,
    HistoryFilter,
    HistoryQuery,
    InheritanceBody,
    InheritanceView,
    RefusalPage,
    RefusalQuery,
    RevisionPage,
    RuleBody,
    RulePage,
    RuleView,
    VerdictList,
    WantedCheck,
    WantedRule,
    render_refusal,
)
from app.destinations.geo_permissions.check import CheckProvider, error_of, load_permissions_view
from app.destinations.geo_permissions.permissions import evaluate_numbers, load_geo_permissions
from app.destinations.refusals import RefusalFilter, load_counts, load_refusals
from app.destinations.storage.policies import load_use_case_countries, rule_json
from app.kernel import errors as e
from app.kernel.whole_numbers import read_whole_number
from app.providers.port import GeoFacts
from app.web.fields import View
from app.web.pages import PageQuery, page
from app.web.registry import current_time, get_service, reading
from app.web.routes import Answer, Routes, Shape

routes = Routes(**ROUTES)
_ABSENT = (e.NotFound,)
_MOST_RULES_OF_PAGE = 10_000
_NOT_ASKED = (e.NotFound, e.ProviderMisconfigured, e.ProviderUnavailable)
_HISTORY: dict[int, Shape] = {200: (RevisionPage, "text/csv")}
_INHERITANCE: dict[int, Shape] = {200: (InheritanceView, DryRunView)}
_RESTORE = CHANGE | {"errors": (e.BadRequest, *CHANGE["errors"])}


class CheckProblemView(View):
    """Why Twilio could not be asked the last time."""

    code = fields.String(metadata={"example": "ProviderUnavailable"})
    message = fields.String(metadata={"example": "the answer names no country"})
    at = fields.DateTime()


class ProviderView(View):
    """The policy compared with the provider's geo permissions; country codes, sorted."""

    allowed_here_closed_there = fields.List(fields.String(), metadata={"example": ["CA"]})
    closed_here_open_there = fields.List(fields.String(), metadata={"example": ["BR"]})
    high_risk = fields.List(fields.String(), metadata={"example": ["BR"]})
    unsupported = fields.List(fields.String(), metadata={"example": []})
    checked_at = fields.DateTime(allow_none=True)
    agrees = fields.Boolean(
        allow_none=True, metadata={"description": "Null while nothing is known", "example": False}
    )
    problem = fields.Nested(CheckProblemView, allow_none=True)


@routes.add("GET", PATH + "/rules", VIEWER, {200: RulePage}, query=PageQuery, errors=_ABSENT)
def list_rules(principal: Principal, workspace_id: UUID, query: PageFilter) -> Answer:
    """List the rules for countries, prefixes and numbers, oldest first."""
    with reading() as connection:
        effective = open_workspace(connection, principal, workspace_id)
    rules = _reader_of(principal).rules(effective.state.rules, effective.owner_id)
    after = query.page_token
    rest = [rule for rule in rules if after is None or rule.rule_id > after]
    return policy_answer(effective, page(rest, query.limit, rule_json, lambda rule: rule.rule_id))


@routes.add(
    "POST", PATH + "/rules", ADMIN, {201: RuleView, 200: DryRunView}, body=RuleBody, **CHANGE
)
def create_rule(principal: Principal, workspace_id: UUID, body: WantedRule, query: bool) -> Answer:
    """Add a rule; it replaces another one of the same kind and value."""
    change = changes.AddRule(body.rule(current_time()), body.acknowledge_high_risk)
    changed = make_change(principal, workspace_id, change, dry_run=query)
    return changed_answer(changed, rule_json(change.stored_in(changed.effective.state)), 201)


@routes.add("DELETE", PATH + "/rules/{rule_id}", ADMIN, {204: None, 200: DryRunView}, **CHANGE)
def delete_rule(principal: Principal, workspace_id: UUID, rule_id: UUID, query: bool) -> Answer:
    """Remove a rule."""
    changed = make_change(principal, workspace_id, changes.RemoveRule(rule_id), dry_run=query)
    if query:
        return changed_answer(changed)
    return Response(status=204, headers={"ETag": f'"{changed.effective.revision}"'})


@routes.add("GET", PATH + "/inheritance", VIEWER, {200: InheritanceView}, errors=_ABSENT)
def get_inheritance(principal: Principal, workspace_id: UUID) -> Answer:
    """Return whether the workspace inherits, and which workspace owns the policy."""
    with reading() as connection:
        effective = open_workspace(connection, principal, workspace_id)
    return policy_answer(effective, InheritanceView.write(effective))


@routes.add("PUT", PATH + "/inheritance", ADMIN, _INHERITANCE, body=InheritanceBody, **CHANGE)
def set_inheritance(
    principal: Principal, workspace_id: UUID, body: dict[str, bool], query: bool
) -> Answer:
    """Inherit the parent's policy, or start a policy of its own from a copy."""
    change = changes.SetInheritance(body["inherit"])
    changed = make_change(principal, workspace_id, change, dry_run=query)
    return changed_answer(changed, InheritanceView.write(changed.effective))


@routes.add("GET", PATH + "/history", VIEWER, _HISTORY, query=HistoryQuery, errors=_ABSENT)
def list_history(principal: Principal, workspace_id: UUID, query: HistoryFilter) -> Answer:
    """List the history, newest first, as JSON or CSV."""
    reader = _reader_of(principal)
    with reading() as connection:
        effective = open_workspace(connection, principal, workspace_id)
        if query.format != "csv":  # each item has all rules
            fitting = _MOST_RULES_OF_PAGE // (1 + len(effective.state.rules))
            query = replace(query, limit=max(1, min(query.limit, fitting)))
        rows = load_history(connection, workspace_id, query)
    if query.format == "csv":
        text = write_csv(rows, query.limit, reader)
        return Response(text, mimetype="text/csv", headers={"ETag": f'"{effective.revision}"'})
    rules = rule_changes(rows, reader)
    shown = page(rows, query.limit, lambda row: render_revision(row, rules[row.revision], reader))
    return policy_answer(effective, shown)


@routes.add("POST", PATH + "/history/{revision}/restore", ADMIN, CHANGED, **_RESTORE)
def restore_revision(
    principal: Principal, workspace_id: UUID, revision: str, query: bool
) -> Answer:
    """Restore the policy of a revision, as a new revision."""
    number = read_whole_number(revision)
    if number is None:
        raise e.BadRequest("revision in the path is not a number.")
    change = changes.RestoreRevision(number)
    return changed_answer(make_change(principal, workspace_id, change, dry_run=query))


def _reader_of(principal: Principal) -> PolicyReader:
    return PolicyReader(principal.role, lambda one: principal.workspace_id in {None, one})


@routes.add("POST", PATH + "/check", VIEWER, {200: VerdictList}, body=CheckBody, errors=_ABSENT)
def check_numbers(principal: Principal, workspace_id: UUID, body: WantedCheck) -> Answer:
    """Check up to 1,000 numbers like a send, without sending."""
    countries = None
    with reading() as connection:
        effective = open_workspace(connection, principal, workspace_id)
        geo_permissions = load_geo_permissions(connection, workspace_id, get_service(GeoFacts))
        if body.use_case_id is not None:
            try:
                countries = load_use_case_countries(connection, workspace_id, body.use_case_id)
            except e.NotFound as problem:
                unknown = {"$.use_case_id": ["There is no such use case in this workspace."]}
                raise e.ValidationFailed(unknown) from problem
    policy = effective.policy(countries)
    verdicts = evaluate_numbers(body.numbers, policy, geo_permissions, current_time())
    return policy_answer(effective, {"verdicts": verdicts})


@routes.add(
    "GET", PATH + "/refusals", VIEWER, {200: RefusalPage}, query=RefusalQuery, errors=_ABSENT
)
def list_refusals(principal: Principal, workspace_id: UUID, query: RefusalFilter) -> Answer:
    """List refusals, newest first, with counts by day, country and code."""
    with reading() as connection:
        effective = open_workspace(connection, principal, workspace_id)
        rows = load_refusals(connection, workspace_id, query)
        counts = load_counts(connection, workspace_id, current_time())
    return policy_answer(effective, page(rows, query.limit, render_refusal) | {"counts": counts})


@routes.add("GET", PATH + "/provider", VIEWER, {200: ProviderView}, errors=_ABSENT)
def get_provider(principal: Principal, workspace_id: UUID) -> Answer:
    """Compare the policy with the last known geo permissions of Twilio."""
    with reading() as connection:
        effective = open_workspace(connection, principal, workspace_id)
        facts, now = get_service(GeoFacts), current_time()
        view = load_permissions_view(connection, effective, facts, now)
    return policy_answer(effective, view.as_json())


@routes.add("POST", PATH + "/provider", ADMIN, {200: ProviderView}, errors=_NOT_ASKED)
def check_provider(principal: Principal, workspace_id: UUID) -> Answer:
    """Read the workspace's geo permissions from Twilio, and compare the policy with them."""
    with reading() as connection:
        open_workspace(connection, principal, workspace_id)
    checked = get_service(CheckProvider)(workspace_id)
    if not checked:
        raise e.ProviderMisconfigured("This workspace has no account at the provider.")
    (one,) = checked
    if one.problem is not None:
        raise error_of(one.problem)
    return policy_answer(one.effective, one.view.as_json())
