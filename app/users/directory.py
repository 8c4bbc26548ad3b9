"""SQL of an organization's users and their memberships."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, select

from app.access.principal import Role
from app.access.tables import workspaces
from app.db.filters import PageFilter
from app.db.rows import AnyRow
from app.kernel.errors import NotFound
from app.users.store import load_user
from app.users.tables import memberships, sign_in_links, users


@dataclass(frozen=True, slots=True)
class Membership:
    """A role in one workspace; in all if ``workspace_id`` is None."""

    workspace_id: UUID | None
    workspace_name: str | None
    role: Role


@dataclass(frozen=True, slots=True)
class UserDetails:
    user_id: UUID
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


def load_user_page(
    connection: Connection, organization_id: UUID, wanted: PageFilter
) -> list[UserDetails]:
    """Load `limit` + 1 rows, oldest first."""
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
            users.c.password_hash.is_not(None).label("has_password"),
            users.c.totp_secret.is_not(None).label("has_second_factor"),
            users.c.created_at,
            users.c.disabled_at,
            users.c.locked_until,
            users.c.last_sign_in_at,
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
    first = rows[0]
    held = [
        Membership(row.workspace_id, row.workspace_name, Role(row.role))
        for row in rows
        if row.role is not None
    ]
    return UserDetails(
        user_id=first.id,
        email=first.email,
        name=first.name,
        has_password=first.has_password,
        has_second_factor=first.has_second_factor,
        created_at=first.created_at,
        disabled_at=first.disabled_at,
        locked_until=first.locked_until,
        last_sign_in_at=first.last_sign_in_at,
        link_expires_at=first.link_expires_at,
        # PostgreSQL sorts nulls last, SQLite first.
        memberships=tuple(sorted(held, key=lambda one: one.workspace_id is not None)),
    )
