"""SQL of users, their memberships and sign-in links."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, delete, insert, select, true, update

from app.access.principal import Role
from app.access.tables import organizations, workspaces
from app.db.rows import AnyRow, PageFilter, from_row
from app.kernel.errors import NotFound
from app.kernel.ids import new_id
from app.kernel.mail import normal_email
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


@dataclass(frozen=True, slots=True)
class Membership:
    """A role in one workspace; in all if ``workspace_id`` is None."""

    workspace_id: UUID | None
    workspace_name: str | None
    role: Role


@dataclass(frozen=True, slots=True)
class UserDetails:
    id: UUID
    email: str
    name: str
    has_password: bool
    has_second_factor: bool
    created_at: datetime
    disabled_at: datetime | None
    locked_until: datetime | None
    last_sign_in_at: datetime | None
    link_expires_at: datetime | None
    memberships: tuple[Membership, ...]

    def is_invited(self, now: datetime) -> bool:
        return self.link_expires_at is not None and self.link_expires_at > now

    def is_paused(self, now: datetime) -> bool:
        """Whether sign-in is slowed on unknown browsers."""
        return self.locked_until is not None and self.locked_until > now


def load_users(connection: Connection, organization_id: UUID | None) -> list[UserDetails]:
    """Oldest first."""
    of_organization = users.c.organization_id == organization_id
    return list(_load(connection, true() if organization_id is None else of_organization))


def load_user_page(
    connection: Connection, organization_id: UUID, wanted: PageFilter
) -> list[UserDetails]:
    """Oldest first."""
    conditions = [users.c.organization_id == organization_id]
    if wanted.page_token is not None:
        conditions.append(users.c.id > wanted.page_token)
    shown = select(users.c.id).where(*conditions).order_by(users.c.id).limit(wanted.limit + 1)
    return list(_load(connection, users.c.id.in_(shown)))


def load_user_details(connection: Connection, organization_id: UUID, user_id: UUID) -> UserDetails:
    """Raises `NotFound`."""
    one = (users.c.id == user_id) & (users.c.organization_id == organization_id)
    for person in _load(connection, one):
        return person
    raise NotFound


def require_user(connection: Connection, organization_id: UUID, user_id: UUID) -> AnyRow:
    """Load and lock a user; raises `NotFound`."""
    user = load_user(connection, user_id)
    if user is None or user.organization_id != organization_id:
        raise NotFound
    return user


def _load(connection: Connection, condition: ColumnElement[bool]) -> Iterable[UserDetails]:
    query = (
        select(
            users.c.id,
            users.c.email,
            users.c.name,
            users.c.created_at,
            users.c.disabled_at,
            users.c.locked_until,
            users.c.last_sign_in_at,
            users.c.password_hash.is_not(None).label("has_password"),
            users.c.totp_secret.is_not(None).label("has_second_factor"),
            sign_in_links.c.expires_at.label("link_expires_at"),
            memberships.c.workspace_id,
            memberships.c.role,
            workspaces.c.name.label("workspace_name"),
        )
        .select_from(users)
        .outerjoin(sign_in_links, sign_in_links.c.user_id == users.c.id)
        .outerjoin(memberships, memberships.c.user_id == users.c.id)
        .outerjoin(workspaces, workspaces.c.id == memberships.c.workspace_id)
        .where(condition)
        .order_by(users.c.id, workspaces.c.name)
    )
    rows = connection.execute(query).all()
    return (_user_details(list(of_one)) for _, of_one in groupby(rows, key=lambda row: row.id))


def _user_details(rows: list[AnyRow]) -> UserDetails:
    held = [from_row(Membership, row, role=Role(row.role)) for row in rows if row.role is not None]
    # PostgreSQL sorts nulls last, SQLite first.
    held.sort(key=lambda one: one.workspace_id is not None)
    return from_row(UserDetails, rows[0], memberships=tuple(held))
