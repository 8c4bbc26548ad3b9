"""SQL of the known geo permissions of provider accounts."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, Table, delete, literal, select

from app.access.tables import provider_accounts, workspaces
from app.db.rows import AnyRow, insert_on_conflict, upsert
from app.destinations.geo_permissions.permissions import CountryPermission, GeoPermissions
from app.destinations.tables import provider_check_problems, provider_checks, provider_permissions
from app.providers.port import ProviderAccount

BY_CHECK = "check"
BY_REFUSAL = "refusal"
_NOTE = ["is_open", "noted_at", "noted_by"]


@dataclass(frozen=True, slots=True)
class CheckTarget:
    workspace_id: UUID
    name: str
    is_suspended: bool
    account: ProviderAccount


def load_check_targets(
    connection: Connection, workspace_id: UUID | None = None, *, whole_account: bool = False
) -> list[CheckTarget]:
    """List workspaces with an account: all, one, or all of one's account."""
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
        CheckTarget(
            row.id, row.name, row.suspended_at is not None, ProviderAccount(row.sid, row.auth_token)
        )
        for row in connection.execute(query)
    ]


def load_checked_at(connection: Connection, workspace_id: UUID) -> datetime | None:
    found = _load_last(connection, workspace_id, provider_checks)
    return None if found is None else found.checked_at


def load_problem(connection: Connection, workspace_id: UUID) -> AnyRow | None:
    return _load_last(connection, workspace_id, provider_check_problems)


def _load_last(connection: Connection, workspace_id: UUID, table: Table) -> AnyRow | None:
    of_account = workspaces.c.account_sid == table.c.account_sid
    query = select(table).join(workspaces, of_account).where(workspaces.c.id == workspace_id)
    return connection.execute(query).one_or_none()


def replace_permissions(
    connection: Connection, account_sid: str, geo_permissions: GeoPermissions, now: datetime
) -> None:
    if not _lock_account(connection, account_sid):
        return
    known = provider_permissions.c
    gone = known.country.notin_(list(geo_permissions.entries))
    connection.execute(delete(provider_permissions).where(known.account_sid == account_sid, gone))
    rows = [
        {"account_sid": account_sid} | _row(country, permission, now, BY_CHECK)
        for country, permission in sorted(geo_permissions.entries.items())
    ]
    permissions = insert_on_conflict(connection, provider_permissions)
    connection.execute(_put(permissions, [*_NOTE, "is_high_risk"]), rows)
    upsert(connection, provider_checks, {"account_sid": account_sid}, checked_at=now)
    _forget(connection, account_sid, provider_check_problems)


def record_problem(
    connection: Connection, account_sid: str, code: str, message: str, now: datetime
) -> None:
    if not _lock_account(connection, account_sid):
        return
    key = {"account_sid": account_sid}
    upsert(connection, provider_check_problems, key, code=code, message=message, at=now)


def _lock_account(connection: Connection, account_sid: str) -> bool:
    """Serialize checks of an account; False if it was unlinked during the call.

    Sends and callbacks do not wait for this lock.
    """
    account = select(provider_accounts.c.sid).where(provider_accounts.c.sid == account_sid)
    return connection.execute(account.with_for_update(key_share=True)).one_or_none() is not None


def record_closed(
    connection: Connection, account_sid: str, country: str | None, now: datetime
) -> None:
    """Store until the next check that the provider refused a country; does nothing for None."""
    if country is None:
        return
    row = _row(country, CountryPermission(is_open=False), now, BY_REFUSAL)
    # Nothing is stored for an account that was unlinked during the call.
    kept = select(
        provider_accounts.c.sid,
        *(literal(value, provider_permissions.c[name].type) for name, value in row.items()),
    ).where(provider_accounts.c.sid == account_sid)
    wanted = insert_on_conflict(connection, provider_permissions).from_select(
        ["account_sid", *row], kept.with_for_update(read=True, key_share=True)
    )
    connection.execute(_put(wanted, _NOTE))


def _row(country: str, permission: CountryPermission, now: datetime, by: str) -> dict[str, Any]:
    return {"country": country, **asdict(permission), "noted_at": now, "noted_by": by}


def forget_permissions(connection: Connection, account_sid: str) -> None:
    _forget(connection, account_sid, provider_permissions, provider_checks, provider_check_problems)


def _forget(connection: Connection, account_sid: str, *tables: Table) -> None:
    for table in tables:
        connection.execute(delete(table).where(table.c.account_sid == account_sid))


def _put(wanted: Any, changed: list[str]) -> Any:
    return wanted.on_conflict_do_update(
        index_elements=["account_sid", "country"],
        set_={name: wanted.excluded[name] for name in changed},
    )
