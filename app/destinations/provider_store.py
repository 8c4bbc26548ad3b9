"""SQL of what is known of the provider's geo permissions; decides nothing."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from app.access.provider_account import ProviderAccount
from app.access.tables import provider_accounts, workspaces
from app.destinations.provider_gates import ProviderGates
from app.destinations.tables import provider_checks, provider_permissions

BY_CHECK = "check"
BY_REFUSAL = "21408"


@dataclass(frozen=True, slots=True)
class Asked:
    """A workspace and the provider account that is asked for it."""

    workspace_id: UUID
    name: str
    is_frozen: bool
    account: ProviderAccount


def load_asked(
    connection: Connection, workspace_id: UUID | None = None, *, whole_account: bool = False
) -> list[Asked]:
    """List workspaces that have an account: all, one, or all that share one workspace's account."""
    query: Select[*tuple[Any, ...]] = (
        select(workspaces, provider_accounts.c.sid, provider_accounts.c.auth_token)
        .join(provider_accounts, provider_accounts.c.sid == workspaces.c.account_sid)
        .order_by(workspaces.c.name, workspaces.c.id)
    )
    if workspace_id is not None and whole_account:
        own = select(workspaces.c.account_sid).where(workspaces.c.id == workspace_id)
        query = query.where(provider_accounts.c.sid == own.scalar_subquery())
    elif workspace_id is not None:
        query = query.where(workspaces.c.id == workspace_id)
    return [
        Asked(
            row.id, row.name, row.frozen_at is not None, ProviderAccount(row.sid, row.auth_token)
        )
        for row in connection.execute(query)
    ]


def load_checked_at(connection: Connection, workspace_id: UUID) -> datetime | None:
    """Load when the workspace's account was last asked; None for never."""
    query = (
        select(provider_checks.c.checked_at)
        .join(workspaces, workspaces.c.account_sid == provider_checks.c.account_sid)
        .where(workspaces.c.id == workspace_id)
    )
    found: datetime | None = connection.execute(query).scalar_one_or_none()
    return found


def replace_permissions(
    connection: Connection, account_sid: str, gates: ProviderGates, now: datetime
) -> None:
    """Put what an account was just found to permit in the place of all that was known of it."""
    # Two checks of one account take turns; sends and callbacks are not held up by this lock.
    account = select(provider_accounts.c.sid).where(provider_accounts.c.sid == account_sid)
    connection.execute(account.with_for_update(key_share=True))
    known = provider_permissions.c
    connection.execute(
        delete(provider_permissions).where(
            known.account_sid == account_sid, known.country.notin_(list(gates.entries))
        )
    )
    for country, gate in sorted(gates.entries.items()):
        values = {
            "is_open": gate.is_open,
            "is_high_risk": gate.is_high_risk,
            "noted_at": now,
            "noted_by": BY_CHECK,
        }
        key = {"account_sid": account_sid, "country": country}
        _put(connection, provider_permissions, key | values, values)
    _put(
        connection,
        provider_checks,
        {"account_sid": account_sid, "checked_at": now},
        {"checked_at": now},
    )


def note_closed(
    connection: Connection, account_sid: str, country: str | None, now: datetime
) -> None:
    """Keep that the provider refused a country (21408), until the next check; None is no country."""
    if country is None:
        return
    changes = {"is_open": False, "noted_at": now, "noted_by": BY_REFUSAL}
    key = {"account_sid": account_sid, "country": country, "is_high_risk": False}
    _put(connection, provider_permissions, key | changes, changes)


def _put(
    connection: Connection, table: Any, row: dict[str, Any], changes: dict[str, Any]
) -> None:
    """Insert a row, or change the one with its primary key."""
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    key = [column.name for column in table.primary_key]
    statement = dialect.insert(table).values(**row)
    connection.execute(statement.on_conflict_do_update(index_elements=key, set_=changes))
