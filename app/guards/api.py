"""Routes of guards and of their alerts."""

from typing import Any
from uuid import UUID

from app.access.guard import ADMIN, VIEWER
from app.access.principal import Principal, actor_of
from app.access.store import require_workspace
from app.destinations.api.schemas import DryRunQuery
from app.destinations.manage import ChangeRequest
from app.guards.alerts import render_alert
from app.guards.configuration import auto_json, configuration_json
from app.guards.edits import GuardEdit
from app.guards.manage import DryRun, GuardsView, ManageGuards
from app.guards.manage_alerts import AlertFilter, acknowledge, load_alerts
from app.guards.replay import DAYS as REPLAYED_DAYS
from app.guards.schemas import (
    AlertListQuery,
    AlertPage,
    AlertView,
    GuardsBody,
    GuardsDocument,
    GuardsDryRun,
    GuardsSuggestion,
    WouldTripView,
)
from app.guards.suggest import DAYS as SUGGESTED_DAYS
from app.guards.suggest import Suggestion
from app.kernel import errors as e
from app.kernel.clock import rfc3339
from app.web.bodies import CHANGE_HEADERS, change_reason, required_revisions
from app.web.pages import page
from app.web.registry import get_service, reading, writing
from app.web.routes import Answer, Json, Routes, json_answer

PATH = "/v1/workspaces/{workspace_id}/guards"
routes = Routes("Guards")
_ABSENT = (e.NotFound,)
_REVISION = {"ETag": "The revision of the guards, quoted; give it back in If-Match"}


@routes.add("GET", PATH, VIEWER, {200: GuardsDocument}, answer_headers=_REVISION, errors=_ABSENT)
def get_guards(principal: Principal, workspace_id: UUID) -> Answer:
    """Return the guards of a workspace."""
    _check_access(principal, workspace_id)
    return _answer(get_service(ManageGuards).load(workspace_id))


@routes.add(
    "PUT",
    PATH,
    ADMIN,
    {200: (GuardsDocument, GuardsDryRun)},
    body=GuardsBody,
    query=DryRunQuery,
    headers=CHANGE_HEADERS,
    answer_headers=_REVISION,
    errors=(e.NotFound, e.RevisionMismatch, e.ValidationFailed),
)
def replace_guards(
    principal: Principal, workspace_id: UUID, body: GuardEdit, query: bool
) -> Answer:
    """Replace the guards of a workspace; omitted ones get their defaults."""
    _check_access(principal, workspace_id)
    asked = ChangeRequest(actor_of(principal), change_reason(), required_revisions(), query)
    manage = get_service(ManageGuards)
    if query:
        found = manage.dry_run(workspace_id, body, asked)
        return json_answer(describe_dry_run(found), headers={"ETag": f'"{found.revision}"'})
    return _answer(manage.change(workspace_id, body, asked))


@routes.add("GET", PATH + "/suggestion", VIEWER, {200: GuardsSuggestion}, errors=_ABSENT)
def suggest_guards(principal: Principal, workspace_id: UUID) -> Json:
    """Suggest limits that fit the messages of the last 15 days."""
    _check_access(principal, workspace_id)
    found = get_service(ManageGuards).suggest(workspace_id)
    return describe_suggestion(found)


def _check_access(principal: Principal, workspace_id: UUID) -> None:
    with reading() as connection:
        require_workspace(connection, principal, workspace_id)


def _answer(view: GuardsView) -> Answer:
    return json_answer(describe(view), headers={"ETag": f'"{view.stored.revision}"'})


def describe(view: GuardsView) -> dict[str, Any]:
    stored = view.stored
    return {
        "workspace_id": str(stored.workspace_id),
        "revision": stored.revision,
        "updated_at": rfc3339(stored.updated_at),
        **configuration_json(stored.configuration),
        "auto": auto_json(view.auto),
    }


def describe_dry_run(found: DryRun) -> dict[str, Any]:
    would_trip = [WouldTripView.write(one) for one in found.replayed.would_trip]
    return {
        "dry_run": True,
        "revision": found.revision,
        **configuration_json(found.configuration),
        "impact": {
            "days": REPLAYED_DAYS,
            "messages": found.replayed.messages,
            "would_trip": would_trip,
        },
    }


def describe_suggestion(found: Suggestion) -> dict[str, Any]:
    return {
        "days": SUGGESTED_DAYS,
        "messages": found.messages,
        **configuration_json(found.configuration),
    }


alert_routes = Routes("Alerts")


@alert_routes.add("GET", "/v1/alerts", VIEWER, {200: AlertPage}, query=AlertListQuery)
def list_alerts(principal: Principal, query: AlertFilter) -> Json:
    """List alerts, newest first."""
    with reading() as connection:
        found = load_alerts(connection, principal, query)
    return page(found, query.limit, render_alert)


@alert_routes.add(
    "POST", "/v1/alerts/{alert_id}/acknowledge", ADMIN, {200: AlertView}, errors=(e.NotFound,)
)
def acknowledge_alert(principal: Principal, alert_id: UUID) -> Json:
    """Acknowledge an alert; the first acknowledgement counts."""
    with writing() as (connection, now):
        return render_alert(acknowledge(connection, principal, alert_id, now))
