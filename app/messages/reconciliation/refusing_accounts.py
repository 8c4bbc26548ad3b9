"""SQL of accounts that refuse us: asked less and less often, until a new token or an answer."""

import hashlib
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, select, update

from app.access.tables import provider_accounts
from app.db.rows import from_row, upsert
from app.messages.check_times import ask_account_again
from app.messages.tables import refusing_accounts
from app.providers.port import AccountRefused, ProviderAccount


@dataclass(frozen=True, slots=True)
class RefusingAccount:
    account_sid: str
    provider_code: int | None
    is_silent: bool
    failures: int
    since: datetime
    ask_again_at: datetime


def load_refusing(connection: Connection) -> dict[str, RefusingAccount]:
    columns = refusing_accounts.c
    query = (
        select(refusing_accounts, provider_accounts.c.auth_token)
        .join(provider_accounts, provider_accounts.c.sid == columns.account_sid)
        .order_by(columns.account_sid)
    )
    return {
        row.account_sid: from_row(RefusingAccount, row)
        for row in connection.execute(query)
        if row.token_hash == _hash(row.auth_token)
    }


def record_refusing(
    connection: Connection,
    account: ProviderAccount,
    refused: AccountRefused | None,
    before: RefusingAccount | None,
    now: datetime,
) -> RefusingAccount:
    """Record a refusal or, without one, silence; return when to ask again."""
    is_silent = refused is None
    if before is not None and before.is_silent != is_silent:
        before = None
    failures = 1 if before is None else before.failures + 1
    noted = RefusingAccount(
        account_sid=account.sid,
        provider_code=None if refused is None else refused.code,
        is_silent=is_silent,
        failures=failures,
        since=now if before is None else before.since,
        ask_again_at=ask_account_again(failures, now, is_silent=is_silent),
    )
    values, token_hash = asdict(noted), _hash(account.encrypted_auth_token)
    key = {"account_sid": values.pop("account_sid")}
    upsert(connection, refusing_accounts, key, token_hash=token_hash, last_at=now, **values)
    return noted


def forget_refusing(connection: Connection, account_sid: str) -> None:
    connection.execute(
        delete(refusing_accounts).where(refusing_accounts.c.account_sid == account_sid)
    )


def _hash(encrypted_auth_token: str) -> str:
    return hashlib.sha256(encrypted_auth_token.encode()).hexdigest()


def ask_all_now(connection: Connection, now: datetime) -> None:
    connection.execute(update(refusing_accounts).values(ask_again_at=now))
