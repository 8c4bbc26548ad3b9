"""Routes of workspaces."""

from functools import partial
from typing import Any
from uuid import UUID

from marshmallow import ValidationError, fields, post_load, validate

from app.access.accounts import WantedAccount, mistake_in_token
from app.access.guard import ADMIN, OWNER, VIEWER, changing
from app.access.principal import Principal, Role, shown_reason
from app.access.store import require_workspace
from app.access.workspace_rules import BODY_RETENTION_DAYS, NUMBER_RETENTION_DAYS
from app.db.rows import AnyRow
from app.kernel import errors as e
from app.tenancy.manage import ManageWorkspaces
from app.tenancy.workspaces import NewWorkspace, WorkspaceFilter, load_workspaces, set_suspended
from app.web.fields import Country, Id, Name, StrictSchema, Text, Time, TrueOrFalse, View, days, sid
from app.web.pages import PageQuery, page, page_of
from app.web.registry import get_service, reading
from app.web.routes import Json, Routes

routes = Routes("Workspaces")
PATH = "/v1/workspaces"
ONE = PATH + "/{workspace_id}"
_ABSENT = (e.NotFound,)
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


class WorkspaceView(View):
    """One workspace."""

    id = fields.UUID()
    organization_id = fields.UUID()
    name = fields.String()
    home_country = fields.String()
    parent_id = fields.UUID(allow_none=True)
    inherits = fields.Boolean()
    account_sid = fields.String(allow_none=True)
    acknowledges_high_risk = fields.Boolean()
    body_retention_days = fields.Integer()
    number_retention_days = fields.Integer()
    frozen = fields.Boolean(metadata={"example": False})
    frozen_at = Time(allow_none=True)
    frozen_reason = fields.String(allow_none=True)
    created_at = Time()
    updated_at = Time()


_switch = partial(
    routes.add, "POST", guard=ADMIN, answers={200: WorkspaceView}, body=ReasonBody, errors=_ABSENT
)


@_switch(ONE + "/suspend", aliases=(ONE + "/freeze",))
def suspend_workspace(principal: Principal, workspace_id: UUID, body: str) -> Json:
    """Stop all sends of a workspace from the next request on."""
    return _set(principal, workspace_id, body, suspended=True)


@_switch(ONE + "/resume", aliases=(ONE + "/thaw",))
def resume_workspace(principal: Principal, workspace_id: UUID, body: str) -> Json:
    """Let a suspended workspace send again."""
    return _set(principal, workspace_id, body, suspended=False)


def _set(principal: Principal, workspace_id: UUID, reason: str, *, suspended: bool) -> Json:
    with changing(principal) as change:
        require_workspace(change.connection, principal, workspace_id)
        row = set_suspended(change, workspace_id, reason=reason, suspended=suspended)
    return render_workspace(row, principal.role)


def render_workspace(row: AnyRow, role: Role) -> dict[str, Any]:
    return WorkspaceView.write(
        row,
        inherits=row.inherits_destinations,
        frozen=row.suspended_at is not None,
        frozen_at=row.suspended_at,
        frozen_reason=shown_reason(role, row.suspended_reason),
    )


def _check_token(token: str) -> None:
    wrong = mistake_in_token(token)
    if wrong is not None:
        raise ValidationError(f"{wrong}.")


class AccountBody(StrictSchema):
    """``twilio`` of a new workspace; tokens are never shown."""

    account_sid = sid("AC")
    auth_token = Text(validate=_check_token)
    next_auth_token = Text(validate=_check_token, allow_none=True)

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> WantedAccount:
        if "next_auth_token" in data and data["next_auth_token"] is None:
            data["next_auth_token"] = ""
        return WantedAccount(**{"account_sid": ""} | data)


class AccountChange(AccountBody):
    """``twilio`` of a workspace; without ``account_sid`` it changes the linked account."""

    account_sid = sid("AC", required=False)


class WorkspaceBody(StrictSchema):
    makes = NewWorkspace
    name = Name(required=True)
    home_country = Country(required=True)
    parent_id = Id(load_default=None, allow_none=True)
    inherits = TrueOrFalse()
    twilio = fields.Nested(AccountBody, allow_none=True)
    body_retention_days = days(load_default=BODY_RETENTION_DAYS)
    number_retention_days = days(load_default=NUMBER_RETENTION_DAYS)


class WorkspaceChange(StrictSchema):
    """Body of ``PATCH /v1/workspaces/{workspace_id}``; omitted fields stay."""

    name = Name(metadata={"example": "Retail"})
    home_country = Country()
    twilio = fields.Nested(AccountChange, allow_none=True)
    body_retention_days = days()
    number_retention_days = days()


class WorkspaceListQuery(PageQuery):
    makes = WorkspaceFilter
    workspace_id = Id()
    parent_id = Id()


WorkspacePage = page_of(WorkspaceView, "A page of workspaces, oldest first.")

# A new auth token is proven at the provider.
_OF_LINKING = (e.ProviderUnavailable, e.RateLimited)


@routes.add("GET", PATH, VIEWER, {200: WorkspacePage}, query=WorkspaceListQuery)
def list_workspaces(principal: Principal, query: WorkspaceFilter) -> Json:
    """List workspaces, oldest first."""
    with reading() as connection:
        found = load_workspaces(connection, principal, query)
    written = partial(render_workspace, role=principal.role)
    return page(found, query.limit, written)


@routes.add("POST", PATH, OWNER, {201: WorkspaceView}, body=WorkspaceBody, errors=_OF_LINKING)
def post_workspace(principal: Principal, body: NewWorkspace) -> Json:
    """Create a workspace that may reach its home country, or inherits from its parent."""
    row = get_service(ManageWorkspaces).create(principal, body)
    return render_workspace(row, principal.role)


@routes.add("GET", ONE, VIEWER, {200: WorkspaceView}, errors=_ABSENT)
def get_workspace(principal: Principal, workspace_id: UUID) -> Json:
    """Show one workspace."""
    with reading() as connection:
        row = require_workspace(connection, principal, workspace_id)
    return render_workspace(row, principal.role)


@routes.add(
    "PATCH",
    ONE,
    OWNER,
    {200: WorkspaceView},
    body=WorkspaceChange,
    errors=(e.NotFound, *_OF_LINKING),
)
def patch_workspace(principal: Principal, workspace_id: UUID, body: dict[str, Any]) -> Json:
    """Change name, home country, provider account or retention times."""
    row = get_service(ManageWorkspaces).change(principal, workspace_id, body)
    return render_workspace(row, principal.role)
