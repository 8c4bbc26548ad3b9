"""Linking a provider account to a workspace, and its tokens: sealed, and never shown again.

An account is one row, whichever workspaces use it. Who reaches none of its workspaces must know its
token to use it, and who does not reach all of them cannot change its tokens: otherwise a tenant
could send with another's account, or stop its callbacks.
"""

import hmac
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from uuid import UUID

from sqlalchemy import Connection, exists, insert, select, update
from sqlalchemy.exc import IntegrityError

from app.access.actor import Actor
from app.access.audit import note_in_workspace
from app.access.principal import Principal
from app.access.scope import within_reach
from app.access.tables import provider_accounts, workspaces
from app.db.rows import AnyRow
from app.db.vault import SealBroken, Vault
from app.kernel.errors import ServiceUnavailable
from app.kernel.problems import Problems

PATH = "$.twilio"
NEEDED = "Is needed for an account that is new."
WRONG = "Is not the auth token of this account."
SHARED = "Workspaces beyond this access key use the account: they must all be reached to change it."


@dataclass(frozen=True, slots=True)
class WantedAccount:
    """The account that a workspace should have; a token that is None stays, an empty one goes."""

    account_sid: str
    auth_token: str | None = field(default=None, repr=False)
    next_auth_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class AccountPlan:
    """What is to be written of an account: the tokens that change, None where one goes."""

    sid: str
    is_new: bool
    tokens: dict[str, str | None] = field(repr=False)


def plan_account(
    connection: Connection, vault: Vault, principal: Principal, wanted: WantedAccount
) -> AccountPlan:
    """Find out what is to be written of a workspace's account, with its row locked.

    Raises:
        ValidationFailed: the principal may not use this account, or not change its tokens.
    """
    query = select(provider_accounts).where(provider_accounts.c.sid == wanted.account_sid)
    stored = connection.execute(query.with_for_update()).one_or_none()
    known = {} if stored is None else _tokens(vault, stored)
    changed = {n: t for n, t in _given(wanted).items() if not _same(known.get(n), t)}
    problems = Problems()
    if stored is None:
        if wanted.auth_token is None:
            problems.add(f"{PATH}.auth_token", NEEDED)
    else:
        reach = _reach(connection, principal, wanted.account_sid)
        if reach is Reach.NOTHING and wanted.auth_token is None:
            # As for an account that does not exist.
            problems.add(f"{PATH}.auth_token", NEEDED)
        elif reach is not Reach.EVERYTHING:
            for name in changed:
                is_guess = name == "auth_token" and reach is Reach.NOTHING
                problems.add(f"{PATH}.{name}", WRONG if is_guess else SHARED)
    problems.refuse()
    return AccountPlan(wanted.account_sid, stored is None, changed)


def write_account(connection: Connection, vault: Vault, plan: AccountPlan, now: datetime) -> None:
    """Write what a plan says; call `note_account` once the workspace is there."""
    sealed = {
        name: None if token is None else vault.seal(plan.sid, token)
        for name, token in plan.tokens.items()
    }
    if plan.is_new:
        values = {"sid": plan.sid, "created_at": now, "updated_at": now}
        try:
            connection.execute(insert(provider_accounts).values(**values, **sealed))
        except IntegrityError as problem:  # another request has made it meanwhile
            raise ServiceUnavailable from problem
    elif sealed:
        statement = update(provider_accounts).where(provider_accounts.c.sid == plan.sid)
        connection.execute(statement.values(**sealed, updated_at=now))


def note_account(
    connection: Connection, plan: AccountPlan, workspace_id: UUID, actor: Actor, now: datetime
) -> None:
    """Write the audit row of what `write_account` wrote: the names of tokens, never a token."""
    if plan.tokens:
        action = "provider_account.created" if plan.is_new else "provider_account.changed"
        names = ", ".join(sorted(plan.tokens))
        of_account = workspace_id, action, now
        note_in_workspace(connection, actor, *of_account, target=plan.sid, reason=names)


def has_next_token(connection: Connection, sid: str) -> bool:
    """Say whether an account's tokens are being changed: a second one counts for its callbacks."""
    columns = provider_accounts.c
    query = select(columns.next_auth_token.is_not(None)).where(columns.sid == sid)
    return bool(connection.execute(query).scalar_one())


class Reach(Enum):
    """How many of the workspaces that use an account a principal reaches."""

    NOTHING = auto()
    SOMETHING = auto()
    EVERYTHING = auto()


def _reach(connection: Connection, principal: Principal, sid: str) -> Reach:
    users = workspaces.c.account_sid == sid
    reached = within_reach(principal, workspaces.c.id)
    if not connection.execute(select(exists().where(users, reached))).scalar_one():
        return Reach.NOTHING
    beyond = connection.execute(select(exists().where(users, ~reached))).scalar_one()
    return Reach.SOMETHING if beyond else Reach.EVERYTHING


def _given(wanted: WantedAccount) -> dict[str, str | None]:
    given = {"auth_token": wanted.auth_token, "next_auth_token": wanted.next_auth_token}
    return {name: token or None for name, token in given.items() if token is not None}


def _tokens(vault: Vault, row: AnyRow) -> dict[str, str | None]:
    return {
        name: _opened(vault, row.sid, getattr(row, name))
        for name in ("auth_token", "next_auth_token")
    }


def _opened(vault: Vault, sid: str, sealed: str | None) -> str | None:
    if sealed is not None:
        with suppress(SealBroken):
            return vault.open(sid, sealed)
    return None


def _same(one: str | None, other: str | None) -> bool:
    return hmac.compare_digest((one or "").encode(), (other or "").encode())
