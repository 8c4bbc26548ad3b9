"""Provider accounts of workspaces, with their encrypted tokens.

An account belongs to one organization and is shared by its workspaces. A new token must be proven
(see `app.tenancy.manage`) before an answer reveals that another organization has the account.
"""

import hmac
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import Connection, bindparam, delete, exists, insert, select, update
from sqlalchemy.exc import IntegrityError

from app.access.audit import AuditedChange, AuditEvent
from app.access.principal import Principal
from app.access.store import visible_to
from app.access.tables import provider_accounts, workspaces
from app.db.encryption import Cipher, DecryptionError
from app.db.engine import Database
from app.db.installation import encrypt_for_all
from app.db.rows import AnyRow
from app.kernel.clock import Clock
from app.kernel.errors import Problems, ServiceUnavailable, ValidationFailed

_log = structlog.get_logger(__name__)
PATH = "$.twilio"
NEEDED = "Is needed for an account that is new."
_UNREADABLE = "\0"  # a token that is stored and that none of our keys decrypts
NOT_ACCEPTED = "Is not an auth token of this account."
FOREIGN = "Is linked to another organization."
SHARED = "Workspaces beyond this access key use the account: they must all be reached to change it."
# How long the tokens of an account are cached.
KEEP = timedelta(seconds=30)
_SID = re.compile(r"AC[0-9a-f]{32}", re.ASCII)
_TOKEN = re.compile(r"[!-~]{1,255}", re.ASCII)
_BY_SID = select(provider_accounts.c.auth_token, provider_accounts.c.next_auth_token).where(
    provider_accounts.c.sid == bindparam("sid")
)


def mistake_in_token(token: str) -> str | None:
    return None if _TOKEN.fullmatch(token) else "Must have 1 to 255 visible ASCII characters"


@dataclass(frozen=True, slots=True)
class WantedAccount:
    """None keeps a token, "" removes it; ``is_proven``: the provider has just accepted them."""

    account_sid: str
    auth_token: str | None = field(default=None, repr=False)
    next_auth_token: str | None = field(default=None, repr=False)
    is_proven: bool = False


@dataclass(frozen=True, slots=True)
class AccountPlan:
    """The tokens to write; None removes one."""

    sid: str
    organization_id: UUID
    is_new: bool
    is_proven: bool
    tokens: dict[str, str | None] = field(repr=False)

    @property
    def unproven_tokens(self) -> dict[str, str]:
        return {name: token for name, token in self.tokens.items() if token is not None}


def plan_account(
    connection: Connection,
    cipher: Cipher,
    principal: Principal,
    wanted: WantedAccount,
    *,
    lock: bool = False,
) -> AccountPlan:
    """Plan the change of a workspace's account; ``lock`` locks its row.

    Another organization's account looks absent until its token is proven. Raises
    `ValidationFailed`.
    """
    query = select(provider_accounts).where(provider_accounts.c.sid == wanted.account_sid)
    stored = connection.execute(query.with_for_update() if lock else query).one_or_none()
    problems = Problems()
    if stored is not None and stored.organization_id != principal.organization_id:
        stored = None
        if wanted.is_proven:
            problems.add(f"{PATH}.account_sid", FOREIGN)
    known = {} if stored is None else _tokens(cipher, stored)
    changed = {n: t for n, t in _given(wanted).items() if not _same(known.get(n), t)}
    is_reached = is_beyond = False
    if stored is not None:
        is_reached, is_beyond = _uses(connection, principal, wanted.account_sid)
    is_known = is_reached or (stored is not None and principal.workspace_id is None)
    if not is_known and wanted.auth_token is None:
        problems.add(f"{PATH}.auth_token", NEEDED)
    may_change = stored is None or (is_reached and not is_beyond)
    # An unproven token is checked at the provider, not here.
    if not may_change and (wanted.is_proven or "auth_token" not in changed):
        for name in changed:
            problems.add(f"{PATH}.{name}", SHARED)
    problems.refuse()
    of_it = wanted.account_sid, principal.organization_id
    return AccountPlan(*of_it, stored is None, wanted.is_proven, changed)


def write_account(connection: Connection, cipher: Cipher, plan: AccountPlan, now: datetime) -> None:
    """Call `record_account` once the workspace exists.

    Raises `ValidationFailed` (`FOREIGN`), and `ServiceUnavailable` if the account has changed
    since its tokens were proven.
    """
    if plan.unproven_tokens and not plan.is_proven:
        raise ServiceUnavailable
    encrypted = {
        name: None if token is None else encrypt_for_all(connection, cipher, plan.sid, token)
        for name, token in plan.tokens.items()
    }
    if plan.is_new:
        owner = {"sid": plan.sid, "organization_id": plan.organization_id}
        row = owner | encrypted | {"created_at": now, "updated_at": now}
        try:
            connection.execute(insert(provider_accounts).values(**row))
        except IntegrityError as problem:
            # Requests of one organization are serialized, so another organization has inserted it.
            raise ValidationFailed({f"{PATH}.account_sid": [FOREIGN]}) from problem
    elif encrypted:
        statement = update(provider_accounts).where(provider_accounts.c.sid == plan.sid)
        connection.execute(statement.values(**encrypted, updated_at=now))


def record_account(change: AuditedChange, plan: AccountPlan, workspace_id: UUID) -> None:
    if plan.tokens:
        action = "provider_account.created" if plan.is_new else "provider_account.changed"
        names = ", ".join(sorted(plan.tokens))
        change.record(AuditEvent(action, workspace_id, plan.sid, names))


def has_next_token(connection: Connection, sid: str) -> bool:
    columns = provider_accounts.c
    query = select(columns.next_auth_token.is_not(None)).where(columns.sid == sid)
    return bool(connection.execute(query).scalar_one())


def is_account_used(connection: Connection, sid: str) -> bool:
    return bool(
        connection.execute(select(exists().where(workspaces.c.account_sid == sid))).scalar_one()
    )


def delete_account(connection: Connection, sid: str) -> None:
    connection.execute(delete(provider_accounts).where(provider_accounts.c.sid == sid))


def _uses(connection: Connection, principal: Principal, sid: str) -> Sequence[bool]:
    """Whether a principal sees workspaces of an account, and whether others exist."""
    users = workspaces.c.account_sid == sid
    is_reached = visible_to(principal, workspaces.c.id)
    query = select(exists().where(users, is_reached), exists().where(users, ~is_reached))
    return connection.execute(query).one()


def _given(wanted: WantedAccount) -> dict[str, str | None]:
    given = {"auth_token": wanted.auth_token, "next_auth_token": wanted.next_auth_token}
    return {name: token or None for name, token in given.items() if token is not None}


def _tokens(cipher: Cipher, row: AnyRow) -> dict[str, str | None]:
    return {
        name: _opened(cipher, row.sid, getattr(row, name))
        for name in ("auth_token", "next_auth_token")
    }


def _opened(cipher: Cipher, sid: str, encrypted: str | None) -> str | None:
    if encrypted is not None:
        with suppress(DecryptionError):
            return cipher.decrypt(sid, encrypted)
        return _UNREADABLE
    return None


def _same(one: str | None, other: str | None) -> bool:
    return hmac.compare_digest((one or "").encode(), (other or "").encode())


class AccountTokens:
    def __init__(self, database: Database, cipher: Cipher, clock: Clock) -> None:
        self._database = database
        self._cipher = cipher
        self._clock = clock
        # With the time until which they are kept.
        self._kept: dict[str, tuple[tuple[str, ...], datetime]] = {}

    def kept(self, account_sid: str) -> tuple[str, ...]:
        """At most half a minute old; () for an unknown account."""
        tokens, until = self._kept.get(account_sid, ((), None))
        if until is not None and until > self._clock.now():
            return tokens
        return self.fresh(account_sid)

    def fresh(self, account_sid: str) -> tuple[str, ...]:
        """Only those of known accounts are cached. Raises `ServiceUnavailable`."""
        if not _SID.fullmatch(account_sid):
            return ()  # not every text can be asked of a database
        with self._database.reading() as connection:
            row = connection.execute(_BY_SID, {"sid": account_sid}).one_or_none()
        if row is None:
            self._kept.pop(account_sid, None)
            return ()
        encrypted = [token for token in row if token is not None]
        try:
            tokens = tuple(self._cipher.decrypt(account_sid, token) for token in encrypted)
        except DecryptionError as problem:
            _log.error("auth_token_unreadable", account_sid=account_sid, why=str(problem))
            raise ServiceUnavailable from problem
        self._kept[account_sid] = tokens, self._clock.now() + KEEP
        return tokens
