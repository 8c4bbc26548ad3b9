"""SQL of the access keys visible to a principal, without tokens."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Uuid, and_, column, or_, select, table

from app.access.key_rules import KeyState
from app.access.principal import Actor, ActorKind, Principal
from app.access.tables import access_keys, workspaces
from app.db.filters import PageFilter, equal, given, load_page
from app.db.rows import AnyRow
from app.kernel.errors import NotFound

_KEY = access_keys.c
_SHOWN = (
    _KEY.id,
    _KEY.organization_id,
    _KEY.workspace_id,
    _KEY.name,
    _KEY.role,
    _KEY.token_prefix,
    _KEY.created_at,
    _KEY.expires_at,
    _KEY.revoked_at,
    _KEY.rate_per_second,
    _KEY.rate_burst,
    _KEY.limits,
    _KEY.last_used_at,
    _KEY.last_used_address,
)


@dataclass(frozen=True, slots=True)
class KeyFilter(PageFilter):
    workspace_id: UUID | None = None
    state: KeyState | None = None


def load_access_keys(
    connection: Connection, principal: Principal, wanted: KeyFilter, now: datetime
) -> list[AnyRow]:
    """Load `limit` + 1 rows, newest first."""
    conditions = equal(wanted, access_keys, "workspace_id")
    conditions += given((wanted.state, lambda state: _is_in(state, now)))
    query = select(*_SHOWN).where(*_seen_by(principal), *conditions)
    return load_page(connection, query, access_keys, wanted)


def load_access_key(
    connection: Connection, principal: Principal, key_id: UUID, *, to_change: bool = False
) -> AnyRow:
    """``to_change`` locks it. Raises `NotFound`."""
    query = select(*_SHOWN).where(_KEY.id == key_id, *_seen_by(principal))
    if to_change:
        query = query.with_for_update()
    found = connection.execute(query).one_or_none()
    if found is None:
        raise NotFound
    return found


def load_end_of(connection: Connection, actor: Actor) -> datetime | None:
    if actor.kind is not ActorKind.ACCESS_KEY:
        return None
    return connection.execute(
        select(_KEY.expires_at).where(_KEY.id == actor.actor_id)
    ).scalar_one_or_none()


def is_limited(connection: Connection, actor: Actor) -> bool:
    if actor.kind is not ActorKind.ACCESS_KEY:
        return False
    query = select(_KEY.limits).where(_KEY.id == actor.actor_id)
    return connection.execute(query).scalar_one_or_none() is not None


# Declared here, because app.use_cases must not be imported.
_USE_CASES = table(
    "use_cases", column("id", Uuid), column("workspace_id", Uuid), column("deleted_at")
)


def absent_use_cases(
    connection: Connection,
    organization_id: UUID,
    workspace_id: UUID | None,
    wanted: Collection[UUID],
) -> set[UUID]:
    if not wanted:
        return set()
    of_organization = select(workspaces.c.id).where(workspaces.c.organization_id == organization_id)
    query = select(_USE_CASES.c.id).where(
        _USE_CASES.c.id.in_(list(wanted)),
        _USE_CASES.c.deleted_at.is_(None),
        _USE_CASES.c.workspace_id.in_(of_organization),
        *given((workspace_id, _USE_CASES.c.workspace_id.__eq__)),
    )
    return set(wanted) - set(connection.execute(query).scalars())


def _seen_by(principal: Principal) -> list[ColumnElement[bool]]:
    own = [_KEY.organization_id == principal.organization_id]
    if principal.workspace_id is not None:
        own.append(_KEY.workspace_id == principal.workspace_id)
    return own


def _is_in(state: KeyState, now: datetime) -> ColumnElement[bool]:
    is_revoked = _KEY.revoked_at.is_not(None)
    match state:
        case KeyState.REVOKED:
            return is_revoked
        case KeyState.EXPIRED:
            return and_(~is_revoked, _KEY.expires_at <= now)
        case KeyState.LIVE:
            return and_(~is_revoked, or_(_KEY.expires_at.is_(None), _KEY.expires_at > now))
