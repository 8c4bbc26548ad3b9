"""Creating and revoking access keys, each with its audit event.

Permissions are checked by the caller (`app.access.manage_keys`).
"""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from app.access.actor import Actor
from app.access.audit import Deed, note_deed
from app.access.key_limits import DEFAULT_RATE, NO_LIMITS, KeyLimits, Rate
from app.access.roles import Role
from app.access.store import insert_key, revoke_key
from app.access.tokens import hash_token, mint_token
from app.db.rows import AnyRow
from app.kernel.ids import new_id


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made; this is the only time that its token is known."""

    key_id: UUID
    name: str
    role: Role
    token: str = field(repr=False)


def issue_key(
    connection: Connection,
    *,
    organization_id: UUID,
    workspace_id: UUID | None,
    name: str,
    role: Role,
    actor: Actor,
    now: datetime,
    expires_at: datetime | None = None,
    rate: Rate = DEFAULT_RATE,
    limits: KeyLimits = NO_LIMITS,
) -> NewKey:
    """Create a key and its audit event in the caller's transaction."""
    key = create_key(
        connection,
        organization_id=organization_id,
        workspace_id=workspace_id,
        name=name,
        role=role,
        now=now,
        expires_at=expires_at,
        rate=rate,
        limits=limits,
    )
    said = f"{name} ({role})"
    deed = Deed(organization_id, workspace_id, "access_key.created", str(key.key_id), said)
    note_deed(connection, actor, deed, now)
    return key


def end_key(connection: Connection, key: AnyRow, actor: Actor, now: datetime) -> bool:
    """Revoke a key, in force for its next request; say whether it was not revoked before."""
    if not revoke_key(connection, key.id, now):
        return False
    said = f"{key.name} ({key.role})"
    deed = Deed(key.organization_id, key.workspace_id, "access_key.revoked", str(key.id), said)
    note_deed(connection, actor, deed, now)
    return True


def create_key(
    connection: Connection,
    *,
    organization_id: UUID,
    workspace_id: UUID | None,
    name: str,
    role: Role,
    now: datetime,
    expires_at: datetime | None = None,
    rate: Rate = DEFAULT_RATE,
    limits: KeyLimits = NO_LIMITS,
) -> NewKey:
    """Create a key without an audit event; see `issue_key`."""
    token = mint_token()
    key = NewKey(key_id=new_id(), name=name, role=role, token=token)
    insert_key(
        connection,
        key_id=key.key_id,
        organization_id=organization_id,
        workspace_id=workspace_id,
        name=name,
        role=role,
        token_hash=hash_token(token),
        created_at=now,
        expires_at=expires_at,
        rate=rate,
        limits=limits,
    )
    return key
