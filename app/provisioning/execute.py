"""SQL that executes the steps of a plan."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Table, delete, insert, null, update

from app.access.audit import AuditEvent, record_audit_event
from app.access.key_limits import Rate, limits_from
from app.access.keys import issue_key
from app.access.principal import Actor, ActorKind, Role
from app.access.tables import access_keys, organizations, provider_accounts, workspaces
from app.db.encryption import Cipher
from app.destinations.manage import ChangeRequest, set_own_policy
from app.guards.manage import change_guards
from app.kernel.masking import mask_numbers_in
from app.messages.guard_history import GuardHistory
from app.provisioning.records import (
    AccountRecord,
    KeyRecord,
    Plan,
    SenderRecord,
    Step,
    WorkspaceRecord,
    changed_fields,
)
from app.tenancy.forget import forget_unused_account
from app.use_cases.tables import senders, use_cases


def planned_audit_events(planned: Plan) -> Iterator[AuditEvent]:
    """List an audit event for each step that changes something."""
    owner = planned.organization.after.id
    yield from _events("organization", [planned.organization], owner, {})
    for account in planned.accounts:
        if account.before != account.after:
            verb, said = _verb(account)
            yield AuditEvent(owner, None, f"provider_account.{verb}", account.after.sid, said)
    workspace_of = {step.after.id: step.after.id for step in planned.workspaces}
    yield from _events("workspace", planned.workspaces, owner, workspace_of)
    workspace_of = {step.after.id: step.after.workspace_id for step in planned.use_cases}
    yield from _events("use_case", planned.use_cases, owner, workspace_of)
    yield from _sender_events(planned, workspace_of)
    yield from _key_events(planned)


def _sender_events(planned: Plan, workspace_of: Mapping[UUID, UUID]) -> Iterator[AuditEvent]:
    for step in planned.senders:
        if step.before != step.after or step.is_removal:
            verb, _ = _verb(step)
            number = mask_numbers_in(step.after.number)
            workspace_id = workspace_of[step.after.use_case_id]
            action = "sender.added" if verb == "created" else f"sender.{verb}"
            owner = planned.organization.after.id
            yield AuditEvent(owner, workspace_id, action, str(step.after.id), number)


def _key_events(planned: Plan) -> Iterator[AuditEvent]:
    for step in planned.keys:
        key = step.after
        if step.before is not None and step.before != key:
            _, said = _verb(step)
            owner = key.organization_id
            yield AuditEvent(owner, key.workspace_id, "access_key.changed", str(key.id), said)


def _events(
    kind: str, steps: Iterable[Step[Any]], owner: UUID, workspace_of: Mapping[UUID, UUID]
) -> Iterator[AuditEvent]:
    for step in steps:
        if step.before != step.after:
            verb, said = _verb(step)
            target = step.after.id
            yield AuditEvent(owner, workspace_of.get(target), f"{kind}.{verb}", str(target), said)


def _verb(step: Step[Any]) -> tuple[str, str | None]:
    """Return the action, and the changed fields."""
    if step.is_removal:
        return "removed", None
    if step.before is None:
        return "created", getattr(step.after, "name", None)
    names = changed_fields(step.before, step.after)
    if names.get("deleted_at") is not None:
        return "deleted", step.after.name
    return "changed", ", ".join(sorted(names))


NewTokens = Mapping[tuple[UUID | None, str], str]
_ACTOR = Actor(ActorKind.PROVISIONING, "borderpost apply")


def execute(connection: Connection, planned: Plan, cipher: Cipher, now: datetime) -> NewTokens:
    """Write the differences; return the tokens of new keys by workspace and name."""
    _write_all(connection, organizations, [planned.organization], now)
    for account in planned.accounts:
        _write_account(connection, account, cipher, now)
    _insert_workspaces(connection, planned.workspaces, now)
    for policy in planned.policies:
        if policy.before != policy.after:
            after = policy.after
            destinations = after.state.destinations
            set_own_policy(connection, after.workspace_id, destinations, _ACTOR, now)
    _update_workspaces(connection, planned.workspaces, now)
    _write_all(connection, use_cases, planned.use_cases, now)
    for sender in planned.senders:
        _write_sender(connection, sender, now)
    for audit_event in planned_audit_events(planned):
        record_audit_event(connection, _ACTOR, audit_event, now)
    for step in planned.workspaces:
        if step.before is not None and step.before.account_sid != step.after.account_sid:
            left = step.before.account_sid
            forget_unused_account(connection, left, step.after.id, _ACTOR, now)
    for guards in planned.guards:
        if guards.before != guards.after:
            change_guards(
                connection,
                guards.workspace_id,
                guards.edit,
                ChangeRequest(_ACTOR),
                history=GuardHistory(),
                now=now,
            )
    return _write_keys(connection, planned.keys, now)


def _write_all(
    connection: Connection, table: Table, steps: Iterable[Step[Any]], now: datetime
) -> None:
    for step in steps:
        if step.before is None:
            _insert(connection, table, asdict(step.after), now)
        else:
            _update(connection, table, step.after.id, changed_fields(step.before, step.after), now)


def _insert_workspaces(
    connection: Connection, steps: Iterable[Step[WorkspaceRecord]], now: datetime
) -> None:
    for step in steps:
        if step.before is None:
            _insert(connection, workspaces, asdict(_start(step)), now)


def _update_workspaces(
    connection: Connection, steps: Iterable[Step[WorkspaceRecord]], now: datetime
) -> None:
    for step in steps:
        changed = changed_fields(_start(step), step.after)
        _update(connection, workspaces, step.after.id, changed, now)


def _start(step: Step[WorkspaceRecord]) -> WorkspaceRecord:
    if step.before is None:
        # The parent may come later in the file.
        return replace(step.after, parent_id=None)
    # Whether it inherits is written with its policy.
    return replace(step.before, inherits_destinations=step.after.inherits_destinations)


def _write_account(
    connection: Connection, step: Step[AccountRecord], cipher: Cipher, now: datetime
) -> None:
    sid = step.after.sid
    is_new = step.before is None
    changed = asdict(step.after) if is_new else changed_fields(step.before, step.after)
    for name in ("auth_token", "next_auth_token"):
        if changed.get(name) is not None:
            changed[name] = cipher.encrypt(sid, changed[name])
    if is_new:
        _insert(connection, provider_accounts, changed, now)
    elif changed:
        statement = update(provider_accounts).where(provider_accounts.c.sid == sid)
        connection.execute(statement.values(**changed, updated_at=now))


def _write_sender(connection: Connection, step: Step[SenderRecord], now: datetime) -> None:
    by_id = senders.c.id == step.after.id
    if step.is_removal:
        connection.execute(delete(senders).where(by_id))
    elif step.before is None:
        connection.execute(insert(senders).values(**asdict(step.after), created_at=now))
    elif step.before != step.after:
        changed = changed_fields(step.before, step.after)
        connection.execute(update(senders).where(by_id).values(changed))


def _write_keys(
    connection: Connection, steps: Iterable[Step[KeyRecord]], now: datetime
) -> NewTokens:
    tokens: dict[tuple[UUID | None, str], str] = {}
    for step in steps:
        key = step.after
        if step.before is None:
            tokens[key.workspace_id, key.name] = issue_key(
                connection,
                organization_id=key.organization_id,
                workspace_id=key.workspace_id,
                name=key.name,
                role=Role(key.role),
                actor=_ACTOR,
                now=now,
                expires_at=key.expires_at,
                rate=Rate(key.rate_per_second, key.rate_burst),
                limits=limits_from(key.limits),
            ).token
        elif step.before != key:
            statement = update(access_keys).where(access_keys.c.id == key.id)
            connection.execute(statement.values(changed_fields(step.before, key)))
    return tokens


def _insert(connection: Connection, table: Table, values: dict[str, Any], now: datetime) -> None:
    row = {name: null() if value is None else value for name, value in values.items()}
    connection.execute(insert(table).values(**row, created_at=now, updated_at=now))


def _update(
    connection: Connection, table: Table, row_id: UUID, changed: dict[str, Any], now: datetime
) -> None:
    if changed:
        row = {name: null() if value is None else value for name, value in changed.items()}
        by_id = table.c.id == row_id
        connection.execute(update(table).where(by_id).values(**row, updated_at=now))
