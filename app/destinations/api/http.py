"""Shared parts of destination routes: path, conditions and answers."""

from typing import Any
from uuid import UUID

from marshmallow import Schema, fields
from sqlalchemy import Connection

from app.access.principal import Principal, actor_of
from app.access.store import require_workspace
from app.db.engine import Database
from app.destinations.api.schemas import CountryChangeView, DestinationManagement, DryRunQuery
from app.destinations.manage import Changed, ChangeRequest, ManageDestinations, PolicyChange
from app.destinations.storage.load import EffectivePolicy, load_effective
from app.destinations.storage.visible_rules import PolicyReader
from app.kernel import errors as e
from app.kernel.clock import rfc3339
from app.web.bodies import Query
from app.web.conditions import change_reason, required_revisions
from app.web.registry import get_service
from app.web.routes import Answer, json_answer


class BlockedTrafficView(Schema):
    """Messages of the last days that would have been refused."""

    country = fields.String(required=True)
    messages = fields.Integer(required=True)
    segments = fields.Integer(required=True)


class ReleasedTrafficView(Schema):
    """Refusals of the last days that would have gone out."""

    country = fields.String(required=True)
    refusals = fields.Integer(required=True)


class ImpactView(Schema):
    """The effect of a change on recent traffic."""

    days = fields.Integer(required=True, metadata={"example": 30})
    would_block = fields.List(fields.Nested(BlockedTrafficView), required=True)
    would_release = fields.List(fields.Nested(ReleasedTrafficView), required=True)


class DryRunView(Schema):
    """Answer with ``dry_run=true``: the effect of the change; nothing was changed."""

    dry_run = fields.Boolean(required=True)
    revision = fields.Integer(required=True, metadata={"description": "The current one."})
    configuration = fields.Nested(DestinationManagement, required=True)
    changes = fields.List(fields.Nested(CountryChangeView), required=True)
    impact = fields.Nested(ImpactView, required=True)


PATH = "/workspaces/{workspace_id}/destination-management/capability/{capability}"
CAPABILITY = "sms"
DRY_RUN: Query[bool] = Query(DryRunQuery)
ANSWER_HEADERS = {"ETag": "The revision of the policy, quoted; give it back in If-Match"}
CHANGE_ERRORS = (e.NotFound, e.DestinationsInherited, e.RevisionMismatch, e.ValidationFailed)


def open_workspace(
    connection: Connection, principal: Principal, workspace_id: UUID, capability: str
) -> EffectivePolicy:
    """Load the effective policy of a workspace.

    Raises:
        BadRequest: the capability has no destinations.
        NotFound: the workspace is absent or another tenant's.
    """
    check_capability(capability)
    require_workspace(connection, principal, workspace_id)
    return load_effective(connection, workspace_id)


def check_capability(capability: str) -> None:
    """Refuse any capability but ``sms``."""
    if capability != CAPABILITY:
        raise e.BadRequest(f"There is no capability of this name; there is {CAPABILITY!r}.")


def make_change(
    principal: Principal, workspace_id: UUID, capability: str, change: PolicyChange
) -> tuple[Changed, bool]:
    """Make a change as the request asks for it; the flag says that it was a dry run."""
    dry_run = DRY_RUN.read()
    with get_service(Database).reading() as connection:
        open_workspace(connection, principal, workspace_id, capability)
    change_request = ChangeRequest(
        actor_of(principal), change_reason(), required_revisions(), dry_run
    )
    return get_service(ManageDestinations)(workspace_id, change, change_request), dry_run


def reader_of(principal: Principal) -> PolicyReader:
    """Return a principal as a reader of policies."""
    return PolicyReader(principal.role, lambda one: principal.workspace_id in {None, one})


def policy_view(effective: EffectivePolicy) -> dict[str, Any]:
    """Write a configuration field for field as Bird's API does."""
    return {
        "organizationId": str(effective.organization_id),
        "workspaceId": str(effective.workspace_id),
        "capabilityName": CAPABILITY,
        "destinations": dict(effective.state.destinations),
        "createdAt": rfc3339(effective.created_at),
        "updatedAt": rfc3339(effective.updated_at),
    }


def policy_answer(effective: EffectivePolicy, body: Any, status: int = 200) -> Answer:
    """Answer about a policy: its revision is the strong ``ETag``."""
    return json_answer(body, status, {"ETag": f'"{effective.revision}"'})


def dry_run_answer(changed: Changed) -> Answer:
    """Return the answer of a dry run."""
    return policy_answer(
        changed.effective,
        {
            "dry_run": True,
            "revision": changed.effective.revision,
            "configuration": policy_view(changed.effective),
            "changes": [change.as_json() for change in changed.changes],
            "impact": changed.impact,
        },
    )


def configuration_answer(changed: Changed, *, dry_run: bool) -> Answer:
    """Return the configuration after a change, or the dry run."""
    if dry_run:
        return dry_run_answer(changed)
    return policy_answer(changed.effective, policy_view(changed.effective))
