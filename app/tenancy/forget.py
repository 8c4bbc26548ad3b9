"""Forgetting a provider account that no workspace uses any more, so that its owner can link it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from app.access.accounts import delete_account, is_account_used
from app.access.actor import Actor
from app.access.audit import note_in_workspace
from app.destinations.provider_store import forget_permissions
from app.messages.refusing_accounts import forget_refusing


def forget_unused_account(
    connection: Connection, account_sid: str | None, workspace_id: UUID, actor: Actor, now: datetime
) -> None:
    """Delete an account that a workspace has just left, unless another workspace uses it.

    The organization must be locked: see `app.access.scope.lock_organization`.
    """
    if account_sid is None or is_account_used(connection, account_sid):
        return
    forget_permissions(connection, account_sid)
    forget_refusing(connection, account_sid)
    delete_account(connection, account_sid)
    of_it = workspace_id, "provider_account.forgotten", now
    note_in_workspace(connection, actor, *of_it, target=account_sid)
