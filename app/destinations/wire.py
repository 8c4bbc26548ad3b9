"""Shared parts of destination routes: path, conditions and answers."""

from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from app.access.actor import actor_of
from app.access.principal import Principal
from app.access.scope import require_workspace
from app.db.engine import Database
from app.destinations.load import Effective, load_effective
from app.destinations.manage import Asked, Change, Changed, ManageDestinations
from app.destinations.schemas import DryRunQuery
from app.destinations.visible_rules import PolicyReader
from app.kernel import errors as e
from app.kernel.clock import rfc3339
from app.web.bodies import Query
from app.web.conditions import change_reason, required_revisions
from app.web.routes import Answer, json_answer
from app.web.wiring import service

PATH = "/workspaces/{workspace_id}/destination-management/capability/{capability}"
CAPABILITY = "sms"
DRY_RUN: Query[bool] = Query(DryRunQuery)
ANSWER_HEADERS = {"ETag": "The revision of the policy, quoted; give it back in If-Match"}
CHANGE_ERRORS = (e.NotFound, e.DestinationsInherited, e.RevisionMismatch, e.ValidationFailed)


def open_workspace(
    connection: Connection, principal: Principal, workspace_id: UUID, capability: str
) -> Effective:
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
    principal: Principal, workspace_id: UUID, capability: str, change: Change
) -> tuple[Changed, bool]:
    """Make a change as the request asks for it; the flag says that it was a dry run."""
    dry_run = DRY_RUN.read()
    with service(Database).reading() as connection:
        open_workspace(connection, principal, workspace_id, capability)
    asked = Asked(actor_of(principal), change_reason(), required_revisions(), dry_run)
    return service(ManageDestinations)(workspace_id, change, asked), dry_run


def reader_of(principal: Principal) -> PolicyReader:
    """Return a principal as a reader of policies."""
    return PolicyReader(principal.role, lambda one: principal.workspace_id in {None, one})


def describe(effective: Effective) -> dict[str, Any]:
    """Write a configuration field for field as Bird's API does."""
    return {
        "organizationId": str(effective.organization_id),
        "workspaceId": str(effective.workspace_id),
        "capabilityName": CAPABILITY,
        "destinations": dict(effective.state.destinations),
        "createdAt": rfc3339(effective.created_at),
        "updatedAt": rfc3339(effective.updated_at),
    }


def policy_answer(effective: Effective, body: Any, status: int = 200) -> Answer:
    """Answer about a policy: its revision is the strong ``ETag``."""
    return json_answer(body, status, {"ETag": f'"{effective.revision}"'})


def dry_run_answer(changed: Changed) -> Answer:
    """Return the answer of a dry run."""
    return policy_answer(
        changed.effective,
        {
            "dry_run": True,
            "revision": changed.effective.revision,
            "configuration": describe(changed.effective),
            "changes": [change.as_json() for change in changed.changes],
            "impact": changed.impact,
        },
    )


def configuration_answer(changed: Changed, *, dry_run: bool) -> Answer:
    """Return the configuration after a change, or the dry run."""
    if dry_run:
        return dry_run_answer(changed)
    return policy_answer(changed.effective, describe(changed.effective))
