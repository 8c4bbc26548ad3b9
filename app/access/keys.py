"""Management of access keys: a new key never exceeds its creator's."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from app.access.audit import AuditEvent, record_audit_event
from app.access.key_rules import check_may_manage, mistake_in_end
from app.access.key_store import absent_use_cases, load_access_key, load_end_of
from app.access.principal import (
    NO_LIMITS,
    Actor,
    KeyLimits,
    Principal,
    Role,
    actor_of,
    mint_token,
    narrowed,
    problems_of_wider,
)
from app.access.store import chosen_workspace, insert_key, revoke_key
from app.db.rows import AnyRow
from app.kernel.ids import new_id
from app.kernel.problems import Problems
from app.kernel.rates import DEFAULT_RATE, Rate


@dataclass(frozen=True, slots=True)
class NewKey:
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
    """Create a key and its audit event."""
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
    description = f"{name} ({role})"
    audit_event = AuditEvent(
        organization_id, workspace_id, "access_key.created", str(key.key_id), description
    )
    record_audit_event(connection, actor, audit_event, now)
    return key


def end_key(connection: Connection, key: AnyRow, actor: Actor, now: datetime) -> bool:
    """Return whether it was valid."""
    if not revoke_key(connection, key.id, now):
        return False
    description = f"{key.name} ({key.role})"
    audit_event = AuditEvent(
        key.organization_id, key.workspace_id, "access_key.revoked", str(key.id), description
    )
    record_audit_event(connection, actor, audit_event, now)
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
    """Create a key without an audit event."""
    token = mint_token()
    key = NewKey(key_id=new_id(), name=name, role=role, token=token)
    insert_key(
        connection,
        key_id=key.key_id,
        organization_id=organization_id,
        workspace_id=workspace_id,
        name=name,
        role=role,
        token=token,
        created_at=now,
        expires_at=expires_at,
        rate=rate,
        limits=limits,
    )
    return key


@dataclass(frozen=True, slots=True)
class NewAccessKey:
    """A key to create, by default in the creator's workspace."""

    name: str
    role: Role
    workspace_id: UUID | None = None
    expires_at: datetime | None = None
    rate: Rate = DEFAULT_RATE
    limits: KeyLimits = NO_LIMITS


@dataclass(frozen=True, slots=True)
class IssuedKey:
    row: AnyRow
    token: str = field(repr=False)


def create_access_key(
    connection: Connection,
    principal: Principal,
    wanted: NewAccessKey,
    now: datetime,
) -> IssuedKey:
    """Raises `Forbidden` (role) or `ValidationFailed` (scope, expiry, or too wide)."""
    problems = Problems()
    workspace_id = wanted.workspace_id or principal.workspace_id
    if workspace_id is not None:
        given = workspace_id
        problems.catch(lambda: chosen_workspace(connection, principal, given, "$.workspace_id"))
    wrong = mistake_in_end(wanted.expires_at, load_end_of(connection, actor_of(principal)), now)
    if wrong is not None:
        problems.add("$.expires_at", wrong)
    for name, text in problems_of_wider(wanted.limits, principal.limits):
        problems.add(f"$.{name}", text)
    ids = wanted.limits.use_case_ids or frozenset()
    if absent_use_cases(connection, principal.organization_id, workspace_id, ids):
        problems.add("$.use_case_ids", "There is no such use case.")
    check_may_manage(principal, wanted.role, workspace_id)
    problems.refuse()
    made = issue_key(
        connection,
        organization_id=principal.organization_id,
        workspace_id=workspace_id,
        name=wanted.name,
        role=wanted.role,
        actor=actor_of(principal),
        now=now,
        expires_at=wanted.expires_at,
        rate=wanted.rate,
        limits=narrowed(wanted.limits, principal.limits),
    )
    return IssuedKey(load_access_key(connection, principal, made.key_id), made.token)


def revoke_access_key(
    connection: Connection, principal: Principal, key_id: UUID, now: datetime
) -> None:
    """Raises `NotFound` or `Forbidden`."""
    key = load_access_key(connection, principal, key_id, to_change=True)
    check_may_manage(principal, Role(key.role), key.workspace_id)
    end_key(connection, key, actor_of(principal), now)
