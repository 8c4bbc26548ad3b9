"""SQL that executes the steps of a plan."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Table, delete, insert, null, update

from app.access.actor import Actor
from app.access.audit import note_deed
from app.access.key_limits import Rate, limits_from
from app.access.keys import issue_key
from app.access.principal import ActorKind
from app.access.roles import Role
from app.access.tables import access_keys, organizations, provider_accounts, workspaces
from app.db.vault import Vault
from app.destinations.manage import Asked
from app.destinations.own_map import write_own_map
from app.guards.manage import change_guards
from app.messages.guard_history import GuardHistory
from app.provisioning.deeds import list_deeds
from app.provisioning.records import (
    AccountRecord,
    Goal,
    KeyRecord,
    SenderRecord,
    Step,
    WorkspaceRecord,
    changed_fields,
)
from app.tenancy.forget import forget_unused_account
from app.use_cases.tables import senders, use_cases

NewTokens = Mapping[tuple[UUID | None, str], str]
_ACTOR = Actor(ActorKind.PROVISIONING, "borderpost apply")


def carry_out(connection: Connection, goal: Goal, vault: Vault, now: datetime) -> NewTokens:
    """Write the differences; return the tokens of new keys by workspace and name."""
    _write_all(connection, organizations, [goal.organization], now)
    for account in goal.accounts:
        _write_account(connection, account, vault, now)
    _insert_workspaces(connection, goal.workspaces, now)
    for policy in goal.policies:
        if policy.before != policy.after:
            after = policy.after
            destinations = after.state.destinations
            write_own_map(connection, after.workspace_id, destinations, _ACTOR, now)
    _update_workspaces(connection, goal.workspaces, now)
    _write_all(connection, use_cases, goal.use_cases, now)
    for sender in goal.senders:
        _write_sender(connection, sender, now)
    for deed in list_deeds(goal):
        note_deed(connection, _ACTOR, deed, now)
    for step in goal.workspaces:
        if step.before is not None and step.before.account_sid != step.after.account_sid:
            left = step.before.account_sid
            forget_unused_account(connection, left, step.after.id, _ACTOR, now)
    for guards in goal.guards:
        if guards.before != guards.after:
            change_guards(
                connection,
                guards.workspace_id,
                guards.edit,
                Asked(_ACTOR),
                history=GuardHistory(),
                now=now,
            )
    return _write_keys(connection, goal.keys, now)


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
    connection: Connection, step: Step[AccountRecord], vault: Vault, now: datetime
) -> None:
    sid = step.after.sid
    is_new = step.before is None
    changed = asdict(step.after) if is_new else changed_fields(step.before, step.after)
    for name in ("auth_token", "next_auth_token"):
        if changed.get(name) is not None:
            changed[name] = vault.seal(sid, changed[name])
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
