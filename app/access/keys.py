"""Access keys without their tokens, and their management: none exceeds its creator's."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Uuid, and_, column, insert, or_, select, table

from app.access.audit import AuditedChange, PrincipalChange
from app.access.key_rules import KeyState, check_may_manage, mistake_in_end
from app.access.principal import (
    NO_LIMITS,
    SHOWN_CHARS,
    Actor,
    ActorKind,
    KeyLimits,
    Principal,
    Role,
    hash_token,
    limits_text,
    mint_token,
    narrowed,
    problems_of_faster,
    problems_of_wider,
)
from app.access.store import chosen_workspace, required, revoke_key
from app.access.tables import access_keys, workspaces
from app.db.rows import AnyRow, PageFilter, equal, given, load_page
from app.kernel.errors import Problems
from app.kernel.ids import new_id
from app.kernel.rates import DEFAULT_RATE, Rate, slower

_KEY = access_keys.c
_SHOWN = [one for one in _KEY if one is not _KEY.token_hash]
# Declared here, because app.use_cases must not be imported.
_USE_CASES = table(
    "use_cases", column("id", Uuid), column("workspace_id", Uuid), column("deleted_at")
)


@dataclass(frozen=True, slots=True)
class KeyFilter(PageFilter):
    workspace_id: UUID | None = None
    state: KeyState | None = None


def load_access_keys(
    connection: Connection, principal: Principal, wanted: KeyFilter, now: datetime
) -> list[AnyRow]:
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
    return required(connection.execute(query).one_or_none())


def load_key_names(connection: Connection, key_ids: Collection[UUID]) -> dict[UUID, str]:
    columns = access_keys.c
    query = select(columns.id, columns.name).where(columns.id.in_(key_ids))
    return {row.id: row.name for row in connection.execute(query)}


def load_key_of(connection: Connection, actor: Actor) -> AnyRow | None:
    """Return an actor's key; a person has none."""
    query = select(*_SHOWN).where(_KEY.id == actor.actor_id)
    is_key = actor.kind is ActorKind.ACCESS_KEY
    return connection.execute(query).one_or_none() if is_key else None


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


@dataclass(frozen=True, slots=True)
class NewAccessKey:
    """A key to create; without a workspace in the creator's, or of the organization."""

    name: str
    role: Role
    workspace_id: UUID | None = None
    expires_at: datetime | None = None
    rate: Rate | None = None
    limits: KeyLimits = NO_LIMITS


@dataclass(frozen=True, slots=True)
class NewKey:
    row: AnyRow
    token: str = field(repr=False)


def create_key(
    connection: Connection, organization_id: UUID, wanted: NewAccessKey, now: datetime
) -> NewKey:
    """Create a key without an audit event."""
    token, rate = mint_token(), wanted.rate or DEFAULT_RATE
    values = insert(access_keys).values(
        id=new_id(),
        organization_id=organization_id,
        workspace_id=wanted.workspace_id,
        name=wanted.name,
        role=wanted.role,
        token_hash=hash_token(token),
        token_prefix=token[:SHOWN_CHARS],
        created_at=now,
        expires_at=wanted.expires_at,
        rate_per_second=rate.per_second,
        rate_burst=rate.burst,
        limits=limits_text(wanted.limits),
    )
    return NewKey(connection.execute(values.returning(*_SHOWN)).one(), token)


def issue_key(change: AuditedChange, organization_id: UUID, wanted: NewAccessKey) -> NewKey:
    key = create_key(change.connection, organization_id, wanted, change.now)
    _note(change, key.row, "created")
    return key


def end_key(change: AuditedChange, key: AnyRow) -> bool:
    """Return whether it was valid."""
    if not revoke_key(change.connection, key.id, change.now):
        return False
    _note(change, key, "revoked")
    return True


def _note(change: AuditedChange, key: AnyRow, verb: str) -> None:
    change.record_of(key, f"access_key.{verb}", f"{key.name} ({key.role})")


def create_access_key(change: PrincipalChange, wanted: NewAccessKey) -> NewKey:
    """Raises `Forbidden` (role) or `ValidationFailed` (scope, expiry, or too wide)."""
    connection, principal, problems = change.connection, change.principal, Problems()
    workspace_id = wanted.workspace_id or principal.workspace_id
    if workspace_id is not None:
        given = workspace_id
        problems.catch(lambda: chosen_workspace(connection, principal, given, "$.workspace_id"))
    maker, rate = load_key_of(connection, change.actor), wanted.rate
    end_of_maker = None if maker is None else maker.expires_at
    problems.add("$.expires_at", mistake_in_end(wanted.expires_at, end_of_maker, change.now))
    wider = list(problems_of_wider(wanted.limits, principal.limits))
    own = DEFAULT_RATE if maker is None else Rate(maker.rate_per_second, maker.rate_burst)
    lowest = slower(DEFAULT_RATE, own)
    if lowest != DEFAULT_RATE:  # the default is no limit that somebody chose
        wider += problems_of_faster(rate or own, own)
        rate = rate or lowest
    for name, text in wider:
        problems.add(f"$.{name}", text)
    ids = wanted.limits.use_case_ids or frozenset()
    if absent_use_cases(connection, principal.organization_id, workspace_id, ids):
        problems.add("$.use_case_ids", "There is no such use case.")
    check_may_manage(principal, wanted.role, workspace_id)
    problems.refuse()
    limits = narrowed(wanted.limits, principal.limits)
    wanted = replace(wanted, workspace_id=workspace_id, rate=rate, limits=limits)
    return issue_key(change, principal.organization_id, wanted)


def revoke_access_key(change: PrincipalChange, key_id: UUID) -> None:
    """Raises `NotFound` or `Forbidden`."""
    key = load_access_key(change.connection, change.principal, key_id, to_change=True)
    check_may_manage(change.principal, Role(key.role), key.workspace_id)
    end_key(change, key)
