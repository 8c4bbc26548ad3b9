"""SQL of sessions and of the workspaces that a session may access, and their deletion."""

import hashlib
import secrets
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, delete, insert, or_, select, update

from app.access.attempts import forget_expired_attempts
from app.access.principal import ActorKind, Role, StoredKey, admit, key_from
from app.access.store import KEY_COLUMNS
from app.access.tables import access_keys, organizations, workspaces
from app.db.clock import require_same_time
from app.db.engine import Database
from app.db.rows import AnyRow, from_row
from app.kernel.clock import Clock
from app.kernel.errors import Unauthorized
from app.kernel.ids import new_id
from app.users.caller import Caller
from app.users.current_user import CurrentUser, RoleGrants, SessionOwner, WorkspaceAccess
from app.users.store import forget_sign_in_links
from app.users.tables import memberships, sessions, users

IDLE = timedelta(hours=2)
LONGEST = timedelta(hours=12)
# How long a session may wait for its second factor.
HALF_WAY = timedelta(minutes=10)
# `seen_at` is written no more often than this.
TOUCHED_EVERY = timedelta(minutes=1)
_BYTES = 32
_MAX_CHARS = 100
_MOST_WORKSPACES = 200
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
KEPT_AFTER_THE_END = timedelta(days=7)


def hash_session_token(token: str) -> str:
    """Tokens are random, so SHA-256 is enough."""
    return hashlib.sha256(token[:_MAX_CHARS].encode()).hexdigest()


def has_ended(
    seen_at: datetime, ends_at: datetime, ended_at: datetime | None, now: datetime
) -> bool:
    return ended_at is not None or ends_at <= now or seen_at + IDLE <= now


@dataclass(frozen=True, slots=True)
class OpenSession:
    owner: SessionOwner
    seen_at: datetime
    workspace_id: UUID | None
    awaits_second_factor: bool = False
    key: StoredKey | None = None


def load_session(connection: Connection, token_hash: str, now: datetime) -> OpenSession | None:
    """None if it has ended or its owner is disabled."""
    rows = connection.execute(_SESSION.where(sessions.c.token_hash == token_hash)).all()
    if not rows or has_ended(rows[0].seen_at, rows[0].ends_at, rows[0].ended_at, now):
        return None
    return _of_person(rows) if rows[0].user_id is not None else _of_key(rows[0], now)


def _of_person(rows: Any) -> OpenSession | None:
    first = rows[0]
    if first.disabled_at is not None or first.member_role is None:
        return None
    roles = {row.member_of: Role(row.member_role) for row in rows}
    owner = SessionOwner(
        session_id=first.id,
        kind=ActorKind.USER,
        principal_id=first.user_id,
        name=first.user_name,
        organization_id=first.user_organization_id,
        reach=RoleGrants(roles.pop(None, None), roles),
    )
    return OpenSession(owner, first.seen_at, first.workspace_id, first.awaits_second_factor)


def _of_key(row: AnyRow, now: datetime) -> OpenSession | None:
    key = key_from(row)
    try:
        principal = admit(key, Role.VIEWER, now)
    except Unauthorized:
        return None
    if principal.workspace_id is None:
        reach = RoleGrants(principal.role, {})
    else:
        reach = RoleGrants(None, {principal.workspace_id: principal.role})
    owner = SessionOwner(
        session_id=row.id,
        kind=ActorKind.ACCESS_KEY,
        principal_id=principal.key_id,
        name=principal.key_name,
        organization_id=principal.organization_id,
        reach=reach,
        limits=principal.limits,
    )
    return OpenSession(owner, row.seen_at, row.workspace_id, key=key)


def load_current_user(connection: Connection, session: OpenSession) -> CurrentUser:
    """Load the owner and the accessible workspaces, the shown one first."""
    owner, reach, columns = session.owner, session.owner.reach, workspaces.c
    query = (
        select(columns.id.label("workspace_id"), columns.name)
        .add_columns(columns.suspended_at, columns.suspended_reason)
        .add_columns(organizations.c.name.label("organization_name"))
        .select_from(organizations)
        .outerjoin(workspaces, workspaces.c.organization_id == organizations.c.id)
        .where(organizations.c.id == owner.organization_id)
        .order_by(workspaces.c.id != session.workspace_id, workspaces.c.name)
        .limit(_MOST_WORKSPACES)
    )
    if reach.everywhere is None:
        query = query.where(workspaces.c.id.in_(list(reach.by_workspace)))
    rows = connection.execute(query).all()
    places = [
        from_row(
            WorkspaceAccess,
            row,
            role=reach.role_in(row.workspace_id) or Role.VIEWER,
            is_suspended=row.suspended_at is not None,
        )
        for row in rows
        if row.workspace_id is not None
    ]
    return CurrentUser(
        **{one.name: getattr(owner, one.name) for one in fields(owner)},
        organization_name=rows[0].organization_name if rows else "",
        workspace_access=places[0] if places else None,
        workspaces=tuple(sorted(places, key=lambda place: place.name.casefold())),
    )


def load_sessions_of(connection: Connection, user_id: UUID, now: datetime) -> list[AnyRow]:
    query = (
        select(sessions)
        .where(sessions.c.user_id == user_id, ~sessions.c.awaits_second_factor)
        .order_by(sessions.c.id.desc())
    )
    rows = connection.execute(query).all()
    return [row for row in rows if not has_ended(row.seen_at, row.ends_at, row.ended_at, now)]


def begin_session(
    connection: Connection,
    caller: Caller,
    now: datetime,
    *,
    user_id: UUID | None = None,
    access_key_id: UUID | None = None,
    awaits_second_factor: bool = False,
) -> str:
    """Replace the caller's earlier session, and return the new token."""
    if caller.session_token is not None:
        end_session(connection, hash_session_token(caller.session_token), now)
    token = secrets.token_urlsafe(_BYTES)
    connection.execute(
        insert(sessions).values(
            id=new_id(),
            token_hash=hash_session_token(token),
            user_id=user_id,
            access_key_id=access_key_id,
            awaits_second_factor=awaits_second_factor,
            address=caller.address,
            device=caller.device,
            created_at=now,
            seen_at=now,
            ends_at=now + (HALF_WAY if awaits_second_factor else LONGEST),
        )
    )
    return token


def update_session(connection: Connection, session_id: UUID, **values: Any) -> None:
    connection.execute(update(sessions).where(sessions.c.id == session_id).values(values))


def end_session(connection: Connection, token_hash: str, now: datetime) -> None:
    connection.execute(
        update(sessions)
        .where(sessions.c.token_hash == token_hash, sessions.c.ended_at.is_(None))
        .values(ended_at=now)
    )


def end_sessions_of(
    connection: Connection, user_id: UUID, now: datetime, *, but: UUID | None = None
) -> None:
    others = [sessions.c.user_id == user_id, sessions.c.ended_at.is_(None)]
    if but is not None:
        others.append(sessions.c.id != but)
    connection.execute(update(sessions).where(*others).values(ended_at=now))


def forget_sessions(connection: Connection, before: datetime) -> int:
    old = or_(sessions.c.ends_at < before, sessions.c.ended_at < before)
    return connection.execute(delete(sessions).where(old)).rowcount


@dataclass(frozen=True, slots=True)
class PurgeSessions:
    """Deletes sessions and links a week after their end, and attempts outside every limit."""

    database: Database
    clock: Clock

    def __call__(self) -> int:
        """Return the number of deleted sessions; raises `ClocksDiffer`."""
        require_same_time(self.database)
        now = self.clock.now()
        with self.database.writing() as connection:
            forget_expired_attempts(connection, now)
            forget_sign_in_links(connection, now - KEPT_AFTER_THE_END)
            return forget_sessions(connection, now - KEPT_AFTER_THE_END)
