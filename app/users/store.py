"""SQL of users and their memberships."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, delete, insert, select, update

from app.access.principal import Role
from app.access.tables import organizations, workspaces
from app.db.rows import AnyRow
from app.kernel.email_addresses import normal_email
from app.kernel.ids import new_id
from app.kernel.texts import is_storable
from app.users.tables import memberships, sign_in_links, users


def find_users(
    connection: Connection, email: str, organization_id: UUID | None = None
) -> list[AnyRow]:
    """Returns at most one account in each organization."""
    address = normal_email(email)
    if not is_storable(address):
        return []
    query = select(users).where(users.c.email == address).order_by(users.c.id)
    if organization_id is not None:
        query = query.where(users.c.organization_id == organization_id)
    return list(connection.execute(query))


def find_pinned(connection: Connection, issuer: str, subject: str) -> list[AnyRow]:
    """Returns at most one account in each organization."""
    query = select(users).where(
        users.c.identity_issuer == issuer, users.c.identity_subject == subject
    )
    return list(connection.execute(query.order_by(users.c.id)))


def load_user(connection: Connection, user_id: UUID) -> AnyRow | None:
    return connection.execute(
        select(users).where(users.c.id == user_id).with_for_update()
    ).one_or_none()


def load_owners(connection: Connection, organization_id: UUID) -> set[UUID]:
    query = select(users.c.id).where(
        users.c.organization_id == organization_id,
        users.c.disabled_at.is_(None),
        memberships.c.workspace_id.is_(None),
        memberships.c.role == Role.OWNER.value,
    )
    return set(connection.execute(query.join(memberships)).scalars())


def load_workspace_names(
    connection: Connection, organization_id: UUID, ids: Collection[UUID]
) -> dict[UUID, str]:
    """Those of other organizations are left out."""
    columns = workspaces.c
    query = select(columns.id, columns.name).where(
        columns.organization_id == organization_id, columns.id.in_(ids)
    )
    return {row.id: row.name for row in connection.execute(query)}


def load_organization_names(connection: Connection, ids: Collection[UUID]) -> dict[UUID, str]:
    columns = organizations.c
    query = select(columns.id, columns.name).where(columns.id.in_(ids)).order_by(columns.name)
    return {row.id: row.name for row in connection.execute(query)}


def load_users(connection: Connection, organization_id: UUID | None) -> list[AnyRow]:
    query = select(users).order_by(users.c.id)
    if organization_id is not None:
        query = query.where(users.c.organization_id == organization_id)
    return list(connection.execute(query))


def load_memberships(connection: Connection, user_ids: list[UUID]) -> list[AnyRow]:
    return list(
        connection.execute(
            select(memberships, workspaces.c.name.label("workspace_name"))
            .outerjoin(workspaces, workspaces.c.id == memberships.c.workspace_id)
            .where(memberships.c.user_id.in_(user_ids))
            .order_by(workspaces.c.name)
        )
    )


def insert_user(connection: Connection, user_id: UUID, values: Mapping[str, Any]) -> None:
    connection.execute(insert(users).values(id=user_id, **values))


def update_user(connection: Connection, user_id: UUID, now: datetime, **values: Any) -> None:
    connection.execute(update(users).where(users.c.id == user_id).values(updated_at=now, **values))


def drop_sign_in_link(connection: Connection, user_id: UUID) -> None:
    connection.execute(delete(sign_in_links).where(sign_in_links.c.user_id == user_id))


def forget_sign_in_links(connection: Connection, before: datetime) -> None:
    connection.execute(delete(sign_in_links).where(sign_in_links.c.expires_at < before))


def record_sign_in(connection: Connection, user_id: UUID, now: datetime) -> None:
    """This ends a lock-out."""
    values = {"last_sign_in_at": now, "locked_until": None}
    connection.execute(update(users).where(users.c.id == user_id).values(values))


def replace_memberships(
    connection: Connection, user_id: UUID, roles: Mapping[UUID | None, Role]
) -> None:
    """None means the organization."""
    connection.execute(delete(memberships).where(memberships.c.user_id == user_id))
    rows = [
        {"id": new_id(), "user_id": user_id, "workspace_id": workspace_id, "role": role.value}
        for workspace_id, role in roles.items()
    ]
    if rows:
        connection.execute(insert(memberships), rows)
