"""Reading, creating, changing and suspending workspaces, in the caller's transaction."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, insert, select, update

from app.access.accounts import (
    PATH,
    AccountPlan,
    WantedAccount,
    delete_account,
    is_account_used,
    plan_account,
    record_account,
    write_account,
)
from app.access.audit import AuditedChange, AuditEvent, PrincipalChange
from app.access.principal import Principal
from app.access.store import (
    load_denied_destinations,
    load_workspace,
    lock_organization,
    require_workspace,
    required,
    visible_to,
)
from app.access.tables import workspaces
from app.access.workspace_rules import BODY_RETENTION_DAYS, NUMBER_RETENTION_DAYS, mistake_in_chain
from app.db.encryption import Cipher
from app.db.rows import AnyRow, PageFilter, equal, given, load_page
from app.destinations.geo_permissions.store import forget_permissions
from app.destinations.manage import set_own_policy
from app.destinations.policy.evaluate import Access
from app.destinations.policy.state import DENIED
from app.kernel.errors import Forbidden, Problems
from app.kernel.ids import new_id
from app.messages.reconciliation.refusing_accounts import forget_refusing

WORKSPACE_NAME_TAKEN = "Is the name of another workspace of this organization."
_PLAIN = (
    "name",
    "home_country",
    "parent_id",
    "acknowledges_high_risk",
    "body_retention_days",
    "number_retention_days",
)


@dataclass(frozen=True, slots=True)
class WorkspaceFilter(PageFilter):
    workspace_id: UUID | None = None
    parent_id: UUID | None = None


def load_workspaces(
    connection: Connection, principal: Principal, wanted: WorkspaceFilter
) -> list[AnyRow]:
    """Oldest first."""
    conditions = equal(wanted, workspaces, "parent_id")
    conditions += given((wanted.workspace_id, workspaces.c.id.__eq__))
    query = select(workspaces).where(visible_to(principal, workspaces.c.id), *conditions)
    return load_page(connection, query, workspaces, wanted, oldest_first=True)


def is_taken(connection: Connection, organization_id: UUID, name: str) -> bool:
    columns = workspaces.c
    query = select(columns.id).where(
        columns.organization_id == organization_id, columns.name == name
    )
    return connection.execute(query).one_or_none() is not None


def load_parents(connection: Connection, organization_id: UUID) -> dict[UUID, UUID | None]:
    columns = workspaces.c
    query = select(columns.id, columns.parent_id).where(columns.organization_id == organization_id)
    return {row.id: row.parent_id for row in connection.execute(query)}


def forget_unused_account(
    change: AuditedChange, account_sid: str | None, workspace_id: UUID
) -> None:
    """Delete an account that no workspace uses; call `lock_organization` before."""
    connection = change.connection
    if account_sid is None or is_account_used(connection, account_sid):
        return
    forget_permissions(connection, account_sid)
    forget_refusing(connection, account_sid)
    delete_account(connection, account_sid)
    change.record(AuditEvent("provider_account.forgotten", workspace_id, account_sid))


@dataclass(frozen=True, slots=True)
class NewWorkspace:
    """With a parent it inherits unless ``inherits`` is False."""

    name: str
    home_country: str
    parent_id: UUID | None = None
    inherits: bool | None = None
    twilio: WantedAccount | None = None
    body_retention_days: int = BODY_RETENTION_DAYS
    number_retention_days: int = NUMBER_RETENTION_DAYS
    acknowledges_high_risk: bool = False
    destinations: Mapping[str, str] | None = None
    workspace_id: UUID = field(default_factory=new_id)

    @property
    def is_to_inherit(self) -> bool:
        return self.parent_id is not None if self.inherits is None else self.inherits

    @property
    def first_destinations(self) -> Mapping[str, str]:
        only_home = {self.home_country: Access.ALLOWED.value}
        return only_home if self.destinations is None else self.destinations


def create_workspace(change: PrincipalChange, cipher: Cipher, wanted: NewWorkspace) -> AnyRow:
    """Raises `Forbidden` (key of one workspace) or `ValidationFailed`."""
    connection, principal, now = change.connection, change.principal, change.now
    lock_organization(connection, principal.organization_id)
    account = check_new_workspace(connection, cipher, principal, wanted, lock=True)
    if account is not None:
        write_account(connection, cipher, account, now)
    workspace_id = wanted.workspace_id
    values = {name: getattr(wanted, name) for name in _PLAIN} | {
        "id": workspace_id,
        "organization_id": principal.organization_id,
        "inherits_destinations": wanted.is_to_inherit,
        "account_sid": None if account is None else account.sid,
    }
    connection.execute(insert(workspaces).values(**values, created_at=now, updated_at=now))
    change.record(AuditEvent("workspace.created", workspace_id, workspace_id, wanted.name))
    if account is not None:
        record_account(change, account, workspace_id)
    if not wanted.is_to_inherit:
        set_own_policy(change, workspace_id, wanted.first_destinations)
    return require_workspace(connection, principal, workspace_id)


def check_new_workspace(
    connection: Connection,
    cipher: Cipher,
    principal: Principal,
    wanted: NewWorkspace,
    *,
    lock: bool = False,
) -> AccountPlan | None:
    """Return the plan of its account; raises the errors of `create_workspace`."""
    if principal.workspace_id is not None:
        raise Forbidden("New workspaces take an access key of the organization.")
    problems, organization_id = Problems(), principal.organization_id
    if is_taken(connection, organization_id, wanted.name):
        problems.add("$.name", WORKSPACE_NAME_TAKEN)
    if wanted.parent_id is not None:
        parents = load_parents(connection, organization_id)
        after = parents | {wanted.workspace_id: wanted.parent_id}
        wrong = mistake_in_chain(wanted.workspace_id, after)
        is_absent = wanted.parent_id not in parents
        problems.add("$.parent_id", "There is no such workspace." if is_absent else wrong)
    elif wanted.inherits:
        problems.add("$.inherits", "This workspace has no parent to inherit from.")
    is_home_alone = not wanted.is_to_inherit and wanted.destinations is None
    if is_home_alone and wanted.home_country in load_denied_destinations(
        connection, organization_id
    ):
        problems.add("$.home_country", DENIED)
    account = None
    if wanted.twilio is not None:
        plan = partial(plan_account, connection, cipher, principal, wanted.twilio, lock=lock)
        account = problems.catch(plan)
    problems.refuse()
    return account


def change_workspace(
    change: PrincipalChange,
    cipher: Cipher,
    workspace_id: UUID,
    wanted: Mapping[str, Any],
    *,
    forget: bool = True,
) -> AnyRow:
    """``twilio`` None unlinks the account. Raises `NotFound` or `ValidationFailed`."""
    connection, principal, now = change.connection, change.principal, change.now
    lock_organization(connection, principal.organization_id)
    row = require_workspace(connection, principal, workspace_id)
    account = check_change(connection, cipher, principal, workspace_id, wanted, lock=True)
    values = {name: wanted[name] for name in _PLAIN if name in wanted}
    if "twilio" in wanted:
        values["account_sid"] = None if account is None else account.sid
    if account is not None:
        write_account(connection, cipher, account, now)
        record_account(change, account, workspace_id)
    changed = {name: value for name, value in values.items() if value != getattr(row, name)}
    if changed:
        statement = update(workspaces).where(workspaces.c.id == workspace_id)
        connection.execute(statement.values(**changed, updated_at=now))
        names = ", ".join(sorted(changed))
        change.record(AuditEvent("workspace.changed", workspace_id, workspace_id, names))
    if forget and "account_sid" in changed:
        forget_unused_account(change, row.account_sid, workspace_id)
    return require_workspace(connection, principal, workspace_id)


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
    row, problems = require_workspace(connection, principal, workspace_id), Problems()
    name = wanted.get("name", row.name)
    if name != row.name and is_taken(connection, row.organization_id, name):
        problems.add("$.name", WORKSPACE_NAME_TAKEN)
    account, twilio = None, wanted.get("twilio")
    if twilio is not None:
        given = replace(twilio, account_sid=twilio.account_sid or row.account_sid or "")
        if given.account_sid:
            plan = partial(plan_account, connection, cipher, principal, given, lock=lock)
            account = problems.catch(plan)
        else:
            problems.add(f"{PATH}.account_sid", "Is needed: the workspace has no account.")
    problems.refuse()
    return account


def set_suspended(
    change: AuditedChange, workspace_id: UUID, *, reason: str, suspended: bool
) -> AnyRow:
    """Suspend or resume a workspace; repeating it changes nothing. Raises `NotFound`."""
    other_state = (
        workspaces.c.suspended_at.is_(None) if suspended else workspaces.c.suspended_at.is_not(None)
    )
    done = change.connection.execute(
        update(workspaces)
        .where(workspaces.c.id == workspace_id, other_state)
        .values(
            suspended_at=change.now if suspended else None,
            suspended_reason=reason if suspended else None,
            updated_at=change.now,
        )
    )
    row = required(load_workspace(change.connection, workspace_id))
    # Of several requests at once, only the first changes the row.
    if done.rowcount == 0:
        return row
    action = "workspace.frozen" if suspended else "workspace.thawed"
    change.record(AuditEvent(action, workspace_id, workspace_id, reason))
    return row
