"""Wire schemas of workspaces."""

from typing import Any

from marshmallow import ValidationError as SchemaError
from marshmallow import fields, post_load

from app.access.accounts import WantedAccount, mistake_in_token
from app.access.workspace_rules import BODY_RETENTION_DAYS, NUMBER_RETENTION_DAYS
from app.access.workspaces_api import WorkspaceView
from app.tenancy.create import NewWorkspace
from app.tenancy.read import WorkspaceFilter
from app.web.fields import Country, Id, StrictSchema, Text
from app.web.pages import PageQuery, page_of
from app.web.setting_fields import Name, days, sid


def _check_token(token: str) -> None:
    wrong = mistake_in_token(token)
    if wrong is not None:
        raise SchemaError(f"{wrong}.")


class AccountBody(StrictSchema):
    """``twilio`` of a new workspace; tokens are stored encrypted and never shown."""

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
    inherits = fields.Boolean(truthy={True}, falsy={False})
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
