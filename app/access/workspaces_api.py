"""Routes that suspend and resume a workspace."""

from typing import Any
from uuid import UUID

from marshmallow import Schema, fields, post_load, validate

from app.access.guard import ADMIN
from app.access.principal import Principal, Role, actor_of, shown_reason
from app.access.store import require_workspace
from app.access.suspension import set_suspended
from app.db.engine import Database
from app.db.rows import AnyRow
from app.kernel import errors as e
from app.kernel.clock import Clock, rfc3339
from app.web.fields import StrictSchema, Text
from app.web.registry import get_service
from app.web.routes import Json, Routes

routes = Routes("Workspaces")
_MAX_REASON = 500


class ReasonBody(StrictSchema):
    reason = Text(
        required=True,
        validate=[
            validate.Predicate("strip", error="Must say why."),
            validate.Length(max=_MAX_REASON),
        ],
    )

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> str:
        return str(data["reason"])


class WorkspaceView(Schema):
    """One workspace."""

    id = fields.UUID(required=True)
    organization_id = fields.UUID(required=True)
    name = fields.String(required=True)
    home_country = fields.String(required=True)
    parent_id = fields.UUID(required=True, allow_none=True)
    inherits = fields.Boolean(required=True)
    account_sid = fields.String(required=True, allow_none=True)
    acknowledges_high_risk = fields.Boolean(required=True)
    body_retention_days = fields.Integer(required=True)
    number_retention_days = fields.Integer(required=True)
    frozen = fields.Boolean(required=True, metadata={"example": False})
    frozen_at = fields.DateTime(required=True, allow_none=True)
    frozen_reason = fields.String(required=True, allow_none=True)
    created_at = fields.DateTime(required=True)
    updated_at = fields.DateTime(required=True)


@routes.add(
    "POST",
    "/v1/workspaces/{workspace_id}/suspend",
    ADMIN,
    {200: WorkspaceView},
    aliases=("/v1/workspaces/{workspace_id}/freeze",),
    body=ReasonBody,
    errors=(e.NotFound,),
)
def suspend_workspace(principal: Principal, workspace_id: UUID, body: str) -> Json:
    """Stop all sends of a workspace from the next request on."""
    return _set(principal, workspace_id, body, suspended=True)


@routes.add(
    "POST",
    "/v1/workspaces/{workspace_id}/resume",
    ADMIN,
    {200: WorkspaceView},
    aliases=("/v1/workspaces/{workspace_id}/thaw",),
    body=ReasonBody,
    errors=(e.NotFound,),
)
def resume_workspace(principal: Principal, workspace_id: UUID, body: str) -> Json:
    """Let a suspended workspace send again."""
    return _set(principal, workspace_id, body, suspended=False)


def _set(principal: Principal, workspace_id: UUID, reason: str, *, suspended: bool) -> Json:
    with get_service(Database).writing() as connection:
        require_workspace(connection, principal, workspace_id)
        row = set_suspended(
            connection,
            workspace_id,
            suspended=suspended,
            reason=reason,
            actor=actor_of(principal),
            now=get_service(Clock).now(),
        )
    return render_workspace(row, principal.role)


def render_workspace(row: AnyRow, role: Role) -> dict[str, Any]:
    def text(value: UUID | None) -> str | None:
        return None if value is None else str(value)

    return {
        "id": str(row.id),
        "organization_id": str(row.organization_id),
        "name": row.name,
        "home_country": row.home_country,
        "parent_id": text(row.parent_id),
        "inherits": row.inherits_destinations,
        "account_sid": row.account_sid,
        "acknowledges_high_risk": row.acknowledges_high_risk,
        "body_retention_days": row.body_retention_days,
        "number_retention_days": row.number_retention_days,
        "frozen": row.suspended_at is not None,
        "frozen_at": None if row.suspended_at is None else rfc3339(row.suspended_at),
        "frozen_reason": shown_reason(role, row.suspended_reason),
        "created_at": rfc3339(row.created_at),
        "updated_at": rfc3339(row.updated_at),
    }
