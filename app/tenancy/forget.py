"""Deletion of a provider account that no workspace uses, so that its owner can link it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from app.access.accounts import delete_account, is_account_used
from app.access.audit import record_workspace_event
from app.access.principal import Actor
from app.destinations.geo_permissions.store import forget_permissions
from app.messages.reconciliation.refusing_accounts import forget_refusing


def forget_unused_account(
    connection: Connection, account_sid: str | None, workspace_id: UUID, actor: Actor, now: datetime
) -> None:
    """Delete an account that a workspace has left, unless another workspace uses it.

    The organization must be locked: see `app.access.store.lock_organization`.
    """
    if account_sid is None or is_account_used(connection, account_sid):
        return
    forget_permissions(connection, account_sid)
    forget_refusing(connection, account_sid)
    delete_account(connection, account_sid)
    of_it = workspace_id, "provider_account.forgotten", now
    record_workspace_event(connection, actor, *of_it, target=account_sid)
