"""Changes of a workspace, except its destinations."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, update

from app.access.accounts import (
    PATH,
    AccountPlan,
    note_account,
    plan_account,
    require_proof,
    write_account,
)
from app.access.audit import record_workspace_event
from app.access.principal import Actor, Principal
from app.access.store import lock_organization
from app.access.tables import workspaces
from app.db.encryption import Cipher
from app.db.rows import AnyRow
from app.kernel.problems import Problems
from app.tenancy.create import WORKSPACE_NAME_TAKEN
from app.tenancy.forget import forget_unused_account
from app.tenancy.read import is_taken, require_own_workspace

_PLAIN = (
    "name",
    "home_country",
    "parent_id",
    "acknowledges_high_risk",
    "body_retention_days",
    "number_retention_days",
)


def change_workspace(
    connection: Connection,
    cipher: Cipher,
    principal: Principal,
    workspace_id: UUID,
    wanted: Mapping[str, Any],
    *,
    actor: Actor,
    now: datetime,
    forget: bool = True,
) -> AnyRow:
    """Change the named fields; ``twilio`` None unlinks the account.

    Raises `NotFound`, and `ValidationFailed` for a taken name or a provider account that may
    not be used.
    """
    lock_organization(connection, principal.organization_id)
    row = require_own_workspace(connection, principal, workspace_id)
    account = check_change(connection, cipher, principal, workspace_id, wanted, lock=True)
    values = {name: wanted[name] for name in _PLAIN if name in wanted}
    if "twilio" in wanted:
        values["account_sid"] = None if account is None else account.sid
    if account is not None:
        require_proof(account, wanted["twilio"])
        write_account(connection, cipher, account, now)
        note_account(connection, account, workspace_id, actor, now)
    changed = {name: value for name, value in values.items() if value != getattr(row, name)}
    if changed:
        statement = update(workspaces).where(workspaces.c.id == workspace_id)
        connection.execute(statement.values(**changed, updated_at=now))
        of_it, names = (workspace_id, "workspace.changed", now), ", ".join(sorted(changed))
        record_workspace_event(connection, actor, *of_it, target=workspace_id, reason=names)
    if forget and "account_sid" in changed:
        forget_unused_account(connection, row.account_sid, workspace_id, actor, now)
    return require_own_workspace(connection, principal, workspace_id)


def check_change(
    connection: Connection,
    cipher: Cipher,
    principal: Principal,
    workspace_id: UUID,
    wanted: Mapping[str, Any],
    *,
    lock: bool = False,
) -> AccountPlan | None:
    """Return the plan of its account; raises the errors of `change_workspace`."""
    row, problems = require_own_workspace(connection, principal, workspace_id), Problems()
    name = wanted.get("name", row.name)
    if name != row.name and is_taken(connection, row.organization_id, name):
        problems.add("$.name", WORKSPACE_NAME_TAKEN)
    account, twilio = None, wanted.get("twilio")
    if twilio is not None:
        given = replace(twilio, account_sid=twilio.account_sid or row.account_sid or "")
        if given.account_sid:
            of_it = connection, cipher, principal, given
            account = problems.catch(lambda: plan_account(*of_it, lock=lock))
        else:
            problems.add(f"{PATH}.account_sid", "Is needed: the workspace has no account.")
    problems.refuse()
    return account
