"""Routes of Bird's Destination management API, and shared functions of all its routes."""

from typing import Any
from uuid import UUID

from marshmallow import fields
from sqlalchemy import Connection

from app.access.guard import ADMIN, VIEWER
from app.access.principal import Principal, actor_of
from app.access.store import require_workspace
from app.destinations import changes
from app.destinations.api.schemas import (
    AllowBody,
    BlockBody,
    CountryChangeView,
    DestinationManagement,
    DestinationManagementBlockResponse,
    DryRunQuery,
    MapBody,
    WantedCountries,
    WantedMap,
)
from app.destinations.manage import Changed, ChangeRequest, ManageDestinations, PolicyChange
from app.destinations.storage.policies import EffectivePolicy, load_effective
from app.kernel import errors as e
from app.web.bodies import CHANGE_HEADERS, change_reason, required_revisions
from app.web.fields import View, about
from app.web.registry import get_service, reading
from app.web.routes import Answer, Routes, Shape, json_answer


class BlockedTrafficView(View):
    """Recent messages that would have been refused."""

    country = fields.String()
    messages = fields.Integer()
    segments = fields.Integer()


class ReleasedTrafficView(View):
    """Recent refusals that would have been sent."""

    country = fields.String()
    refusals = fields.Integer()


class ImpactView(View):
    """The effect of a change on recent traffic."""

    days = fields.Integer(metadata={"example": 30})
    would_block = fields.List(fields.Nested(BlockedTrafficView))
    would_release = fields.List(fields.Nested(ReleasedTrafficView))


class DryRunView(View):
    """The effect of a change with ``dry_run=true``; nothing was changed."""

    dry_run = fields.Boolean()
    revision = fields.Integer(metadata=about("The current one."))
    configuration = fields.Nested(DestinationManagement)
    changes = fields.List(fields.Nested(CountryChangeView))
    impact = fields.Nested(ImpactView)


CAPABILITY = "sms"
PATH = "/workspaces/{workspace_id}/destination-management/capability/{capability}"
# What a change of the configuration, or its dry run, is answered with.
CHANGED: dict[int, Shape] = {200: (DestinationManagement, DryRunView)}
BLOCKED: dict[int, Shape] = {200: (DestinationManagementBlockResponse, DryRunView)}
CHANGE: dict[str, Any] = {
    "query": DryRunQuery,
    "headers": CHANGE_HEADERS,
    "errors": (e.NotFound, e.DestinationsInherited, e.RevisionMismatch, e.ValidationFailed),
}
ROUTES: dict[str, Any] = {
    "tag": "Destination management",
    "answer_headers": {"ETag": "The revision of the policy, quoted; give it back in If-Match"},
    "words": {"capability": CAPABILITY},
}
routes = Routes(**ROUTES)

# The sentence of Bird's API.
BLOCKED_MESSAGE = (
    "Destinations have been blocked. If the block is not temporary, please cancel any associated "
    "subscriptions to prevent unexpected charges."
)


def open_workspace(
    connection: Connection, principal: Principal, workspace_id: UUID
) -> EffectivePolicy:
    """Raises `NotFound`."""
    require_workspace(connection, principal, workspace_id)
    return load_effective(connection, workspace_id)


def make_change(
    principal: Principal, workspace_id: UUID, change: PolicyChange, *, dry_run: bool
) -> Changed:
    with reading() as connection:
        open_workspace(connection, principal, workspace_id)
    change_request = ChangeRequest(
        actor_of(principal), change_reason(), required_revisions(), dry_run
    )
    return get_service(ManageDestinations)(workspace_id, change, change_request)


def policy_view(effective: EffectivePolicy) -> dict[str, Any]:
    of_it = {"capabilityName": CAPABILITY, "destinations": effective.state.destinations}
    return DestinationManagement.write(effective, **of_it)


def effect_json(changed: Changed) -> dict[str, Any]:
    return {
        "revision": changed.effective.revision,
        "configuration": policy_view(changed.effective),
        "changes": [change.as_json() for change in changed.changes],
        "impact": changed.impact,
    }


def policy_answer(effective: EffectivePolicy, body: Any, status: int = 200) -> Answer:
    return json_answer(body, status, {"ETag": f'"{effective.revision}"'})


def changed_answer(changed: Changed, body: Any = None, status: int = 200) -> Answer:
    """Answer a change with a body, or the configuration; a dry run with its effect."""
    effective = changed.effective
    if changed.impact is None:
        return policy_answer(effective, body or policy_view(effective), status)
    return policy_answer(effective, {"dry_run": True} | effect_json(changed))


@routes.add("GET", PATH, VIEWER, {200: DestinationManagement}, errors=(e.NotFound,))
def get_destinations(principal: Principal, workspace_id: UUID) -> Answer:
    """Get the destination configuration of a workspace."""
    with reading() as connection:
        effective = open_workspace(connection, principal, workspace_id)
    return policy_answer(effective, policy_view(effective))


@routes.add("PUT", PATH, ADMIN, CHANGED, body=MapBody, **CHANGE)
def replace_destinations(
    principal: Principal, workspace_id: UUID, body: WantedMap, query: bool
) -> Answer:
    """Replace the destination configuration; absent countries are blocked."""
    change = changes.ReplaceMap(body.destinations, body.acknowledge_high_risk)
    return changed_answer(make_change(principal, workspace_id, change, dry_run=query))


@routes.add("POST", PATH + "/allow", ADMIN, CHANGED, body=AllowBody, **CHANGE)
def allow_destinations(
    principal: Principal, workspace_id: UUID, body: WantedCountries, query: bool
) -> Answer:
    """Allow countries, permanently or until a time."""
    countries, risks = body.destinations, body.acknowledge_high_risk
    reason = None if body.until is None else change_reason()
    change = changes.AllowCountries(countries, risks, body.until, reason)
    return changed_answer(make_change(principal, workspace_id, change, dry_run=query))


@routes.add("POST", PATH + "/block", ADMIN, BLOCKED, body=BlockBody, **CHANGE)
def block_destinations(
    principal: Principal, workspace_id: UUID, body: WantedCountries, query: bool
) -> Answer:
    """Block countries; the entries stay visible as blocked."""
    change = changes.BlockCountries(body.destinations)
    changed = make_change(principal, workspace_id, change, dry_run=query)
    shown = {"message": BLOCKED_MESSAGE, "configuration": policy_view(changed.effective)}
    return changed_answer(changed, shown)
