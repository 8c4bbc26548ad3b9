"""SQL of access keys and workspaces."""

from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Select, Uuid, bindparam, or_, select, update

from app.access.principal import Principal, StoredKey, key_from
from app.access.tables import access_keys, organizations, workspaces
from app.db.rows import AnyRow
from app.db.types import UtcDateTime
from app.kernel.errors import NotFound, ValidationFailed

T = TypeVar("T")
KEY_COLUMNS = (
    access_keys.c.id.label("key_id"),
    access_keys.c.name.label("key_name"),
    access_keys.c.organization_id.label("key_organization_id"),
    access_keys.c.workspace_id.label("key_workspace_id"),
    access_keys.c.role.label("key_role"),
    access_keys.c.expires_at.label("key_expires_at"),
    access_keys.c.revoked_at.label("key_revoked_at"),
    access_keys.c.rate_per_second.label("key_rate_per_second"),
    access_keys.c.rate_burst.label("key_rate_burst"),
    access_keys.c.limits.label("key_limits"),
    access_keys.c.last_used_at.label("key_last_used_at"),
)
# The same for a statement as text, with the alias ``k``.
KEY_TEXT = ",\n  ".join(f"k.{one.element.name} AS {one.name}" for one in KEY_COLUMNS)
KEY_IDS = tuple(one.name for one in KEY_COLUMNS if isinstance(one.type, Uuid))
KEY_TIMES = tuple(one.name for one in KEY_COLUMNS if isinstance(one.type, UtcDateTime))
_BY_HASH = select(*KEY_COLUMNS).where(access_keys.c.token_hash == bindparam("token_hash"))


def visible_to(principal: Principal, workspace_id: ColumnElement[UUID]) -> ColumnElement[bool]:
    if principal.workspace_id is not None:
        return workspace_id == principal.workspace_id
    own = select(workspaces.c.id).where(workspaces.c.organization_id == principal.organization_id)
    return workspace_id.in_(own)


def required(found: T | None) -> T:
    """Raises `NotFound` for None."""
    if found is None:
        raise NotFound
    return found


def require_workspace(connection: Connection, principal: Principal, workspace_id: UUID) -> AnyRow:
    """Raises `NotFound`."""
    is_visible = visible_to(principal, workspaces.c.id)
    query = select(workspaces).where(workspaces.c.id == workspace_id, is_visible)
    return required(connection.execute(query).one_or_none())


def is_only_organization(connection: Connection, organization_id: UUID) -> bool:
    found = connection.execute(select(organizations.c.id).limit(2)).scalars().all()
    return found == [organization_id]


def load_denied_destinations(connection: Connection, organization_id: UUID) -> list[str]:
    columns = organizations.c
    query = select(columns.denied_destinations).where(columns.id == organization_id)
    return list(connection.execute(query).scalar_one())


def lock_organization(connection: Connection, organization_id: UUID) -> None:
    """Serialize changes of an organization's configuration, so that names stay unique."""
    query = select(organizations.c.id).where(organizations.c.id == organization_id)
    # FOR NO KEY UPDATE: inserts of rows that refer to the organization do not wait.
    connection.execute(query.with_for_update(key_share=True)).all()


def chosen_workspace(
    connection: Connection, principal: Principal, workspace_id: UUID | None, path: str
) -> UUID:
    """Return the named workspace, or the key's own; raises `ValidationFailed`."""
    if workspace_id is None:
        if principal.workspace_id is None:
            raise ValidationFailed({path: ["A key of the organization must name a workspace."]})
        return principal.workspace_id
    try:
        require_workspace(connection, principal, workspace_id)
    except NotFound as problem:
        raise ValidationFailed({path: ["There is no such workspace."]}) from problem
    return workspace_id


def load_key(connection: Connection, token_hash: str) -> StoredKey | None:
    row = connection.execute(_BY_HASH, {"token_hash": token_hash}).one_or_none()
    return None if row is None else key_from(row)


def load_keys(
    connection: Connection, organization_id: UUID | None, workspace_id: UUID | None
) -> list[AnyRow]:
    """Oldest first."""
    query: Select[*tuple[Any, ...]] = (
        select(access_keys, organizations.c.name.label("organization_name"))
        .add_columns(workspaces.c.name.label("workspace_name"))
        .join_from(access_keys, organizations)
        .outerjoin(workspaces, workspaces.c.id == access_keys.c.workspace_id)
        .order_by(access_keys.c.id)
    )
    if organization_id is not None:
        query = query.where(access_keys.c.organization_id == organization_id)
    if workspace_id is not None:
        query = query.where(access_keys.c.workspace_id == workspace_id)
    return list(connection.execute(query))


def revoke_key(connection: Connection, key_id: UUID, now: datetime) -> bool:
    done = connection.execute(
        update(access_keys)
        .where(access_keys.c.id == key_id, access_keys.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    return done.rowcount == 1


def record_use(
    connection: Connection, key_id: UUID, address: str, now: datetime, since: datetime
) -> None:
    """Store the last use, unless the stored one is newer than ``since``."""
    used_at = access_keys.c.last_used_at
    connection.execute(
        update(access_keys)
        .where(access_keys.c.id == key_id, or_(used_at.is_(None), used_at <= since))
        .values(last_used_at=now, last_used_address=address)
    )


def find_workspaces(connection: Connection, name_or_id: str | UUID | None) -> list[AnyRow]:
    """By id or name (unique in an organization only), or all."""
    query = select(workspaces, organizations.c.name.label("organization_name"))
    query = query.join(organizations).order_by(workspaces.c.id)
    if name_or_id is not None:
        column = workspaces.c.id if isinstance(name_or_id, UUID) else workspaces.c.name
        query = query.where(column == name_or_id)
    return list(connection.execute(query))


def find_organizations(connection: Connection, name_or_id: str | UUID | None) -> list[AnyRow]:
    query = select(organizations).order_by(organizations.c.id)
    if name_or_id is not None:
        column = organizations.c.id if isinstance(name_or_id, UUID) else organizations.c.name
        query = query.where(column == name_or_id)
    return list(connection.execute(query))


def load_workspace(connection: Connection, workspace_id: UUID) -> AnyRow | None:
    return connection.execute(
        select(workspaces).where(workspaces.c.id == workspace_id)
    ).one_or_none()
