"""SQL of sessions and of the workspaces that a session may access."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, delete, insert, or_, select, update

from app.access.key_limits import NO_LIMITS, KeyLimits
from app.access.principal import ActorKind, admit
from app.access.roles import Role
from app.access.store import KEY_COLUMNS, key_from
from app.access.tables import access_keys, organizations, workspaces
from app.db.rows import AnyRow
from app.kernel.errors import Unauthorized
from app.kernel.ids import new_id
from app.people.reach import Reach
from app.people.session_tokens import is_over
from app.people.tables import memberships, sessions, users
from app.people.visitor import Place, Visitor

_MOST_PLACES = 200
_SESSION = (
    select(
        sessions,
        users.c.name.label("user_name"),
        users.c.organization_id.label("user_organization_id"),
        users.c.disabled_at,
        memberships.c.workspace_id.label("member_of"),
        memberships.c.role.label("member_role"),
        *KEY_COLUMNS,
    )
    .select_from(sessions)
    .outerjoin(users, users.c.id == sessions.c.user_id)
    .outerjoin(memberships, memberships.c.user_id == users.c.id)
    .outerjoin(access_keys, access_keys.c.id == sessions.c.access_key_id)
)


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A live session; an incomplete one waits for the second factor and shows no page."""

    session_id: UUID
    seen_at: datetime
    awaits_second_factor: bool
    kind: ActorKind
    visitor_id: UUID
    name: str
    organization_id: UUID
    reach: Reach
    workspace_id: UUID | None
    limits: KeyLimits = NO_LIMITS


def load_session(connection: Connection, token_hash: str, now: datetime) -> OpenSession | None:
    """Load the session of a token; None if it has ended or its owner is disabled."""
    rows = connection.execute(_SESSION.where(sessions.c.token_hash == token_hash)).all()
    if not rows or is_over(rows[0].seen_at, rows[0].ends_at, rows[0].ended_at, now):
        return None
    return _of_person(rows) if rows[0].user_id is not None else _of_key(rows[0], now)


def _of_person(rows: Any) -> OpenSession | None:
    first = rows[0]
    if first.disabled_at is not None or first.member_role is None:
        return None
    roles = {row.member_of: Role(row.member_role) for row in rows}
    reach = Reach(roles.pop(None, None), roles)
    return OpenSession(
        session_id=first.id,
        seen_at=first.seen_at,
        awaits_second_factor=first.awaits_second_factor,
        kind=ActorKind.USER,
        visitor_id=first.user_id,
        name=first.user_name,
        organization_id=first.user_organization_id,
        reach=reach,
        workspace_id=first.workspace_id,
    )


def _of_key(row: AnyRow, now: datetime) -> OpenSession | None:
    try:
        principal = admit(key_from(row), Role.VIEWER, now)
    except Unauthorized:
        return None
    if principal.workspace_id is None:
        reach = Reach(principal.role, {})
    else:
        reach = Reach(None, {principal.workspace_id: principal.role})
    return OpenSession(
        session_id=row.id,
        seen_at=row.seen_at,
        awaits_second_factor=False,
        kind=ActorKind.ACCESS_KEY,
        visitor_id=principal.key_id,
        name=principal.key_name,
        organization_id=principal.organization_id,
        reach=reach,
        workspace_id=row.workspace_id,
        limits=principal.limits,
    )


def load_visitor(connection: Connection, session: OpenSession) -> Visitor:
    """Load the owner of a session and the accessible workspaces, the shown one first."""
    reach = session.reach
    query = (
        select(
            workspaces.c.id, workspaces.c.name, workspaces.c.frozen_at, workspaces.c.frozen_reason
        )
        .add_columns(organizations.c.name.label("organization_name"))
        .select_from(organizations)
        .outerjoin(workspaces, workspaces.c.organization_id == organizations.c.id)
        .where(organizations.c.id == session.organization_id)
        .order_by(workspaces.c.id != session.workspace_id, workspaces.c.name)
        .limit(_MOST_PLACES)
    )
    if reach.everywhere is None:
        query = query.where(workspaces.c.id.in_(list(reach.by_workspace)))
    rows = connection.execute(query).all()
    places = tuple(_place(row, reach) for row in rows if row.id is not None)
    return Visitor(
        session_id=session.session_id,
        kind=session.kind,
        visitor_id=session.visitor_id,
        name=session.name,
        organization_id=session.organization_id,
        organization_name=rows[0].organization_name if rows else "",
        reach=reach,
        place=places[0] if places else None,
        places=tuple(sorted(places, key=lambda place: place.name.casefold())),
        limits=session.limits,
    )


def _place(row: AnyRow, reach: Reach) -> Place:
    role = reach.role_in(row.id) or Role.VIEWER
    return Place(row.id, row.name, role, row.frozen_at is not None, row.frozen_reason)


def load_sessions_of(connection: Connection, user_id: UUID, now: datetime) -> list[AnyRow]:
    """List the sessions of a person that are not over, the newest first."""
    query = (
        select(sessions)
        .where(sessions.c.user_id == user_id, ~sessions.c.awaits_second_factor)
        .order_by(sessions.c.id.desc())
    )
    rows = connection.execute(query).all()
    return [row for row in rows if not is_over(row.seen_at, row.ends_at, row.ended_at, now)]


def insert_session(
    connection: Connection,
    *,
    token_hash: str,
    now: datetime,
    ends_at: datetime,
    user_id: UUID | None = None,
    access_key_id: UUID | None = None,
    awaits_second_factor: bool = False,
) -> None:
    """Store a session by the hash of its token."""
    connection.execute(
        insert(sessions).values(
            id=new_id(),
            token_hash=token_hash,
            user_id=user_id,
            access_key_id=access_key_id,
            awaits_second_factor=awaits_second_factor,
            created_at=now,
            seen_at=now,
            ends_at=ends_at,
        )
    )


def touch_session(connection: Connection, session_id: UUID, now: datetime) -> None:
    """Note a sign of life."""
    connection.execute(update(sessions).where(sessions.c.id == session_id).values(seen_at=now))


def move_session(connection: Connection, session_id: UUID, workspace_id: UUID) -> None:
    """Show another workspace from now on."""
    connection.execute(
        update(sessions).where(sessions.c.id == session_id).values(workspace_id=workspace_id)
    )


def end_session(connection: Connection, token_hash: str, now: datetime) -> None:
    """End the session of a token."""
    connection.execute(
        update(sessions)
        .where(sessions.c.token_hash == token_hash, sessions.c.ended_at.is_(None))
        .values(ended_at=now)
    )


def end_sessions_of(
    connection: Connection, user_id: UUID, now: datetime, *, but: UUID | None = None
) -> None:
    """End every session of a user, except the named one."""
    others = [sessions.c.user_id == user_id, sessions.c.ended_at.is_(None)]
    if but is not None:
        others.append(sessions.c.id != but)
    connection.execute(update(sessions).where(*others).values(ended_at=now))


def forget_sessions(connection: Connection, before: datetime) -> int:
    """Delete sessions that have been over since before a time."""
    old = or_(sessions.c.ends_at < before, sessions.c.ended_at < before)
    return connection.execute(delete(sessions).where(old)).rowcount
