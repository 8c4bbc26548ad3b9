"""Creating and revoking access keys."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from app.access.roles import Role
from app.access.store import insert_key
from app.access.tokens import hash_token, mint_token
from app.kernel.ids import new_id


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made; this is the only time that its token is known."""

    key_id: UUID
    name: str
    role: Role
    token: str


def create_key(
    connection: Connection,
    *,
    organization_id: UUID,
    workspace_id: UUID | None,
    name: str,
    role: Role,
    now: datetime,
    expires_at: datetime | None = None,
) -> NewKey:
    """Make a key, inside the caller's transaction."""
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
    )
    return key
