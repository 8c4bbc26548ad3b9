"""Sign-in at an identity provider.

The first sign-in pins the account, so that a later owner of the e-mail address does not get it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn
from uuid import UUID

import structlog
from sqlalchemy import Connection

from app.access.audit import AuditedChange
from app.access.principal import Actor, ActorKind
from app.db.rows import AnyRow
from app.kernel.mail import mistake_in_email, normal_email
from app.users.caller import Caller, record_failed_sign_in
from app.users.sign_in import SignedIn, SignIn, SignInRefused, enabled_account
from app.users.store import find_pinned, find_users, load_user, update_user

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """A person at an identity provider; ``email`` only if verified there."""

    issuer: str
    subject: str
    email: str | None


class ProviderFailed(Exception):
    """The identity provider is down, broken or not the right one."""


class ForgedToken(Exception):
    """The token is not valid; ``email`` is the claimed address, if any."""

    def __init__(self, why: str, email: str | None) -> None:
        self.why, self.email = why, email
        super().__init__(why)


@dataclass(frozen=True, slots=True)
class IdentitySignIn:
    sign_in: SignIn

    def by_identity(
        self, identity: Identity, caller: Caller, organization_id: UUID | None = None
    ) -> SignedIn:
        """Sign in an identified person; the provider checks second factors.

        Raises `SignInRefused` (no enabled account), `SeveralAccounts` (several
        organizations, none named), `RateLimited`.
        """
        now = self.sign_in.clock.now()
        with self.sign_in.database.reading() as connection:
            pinned, open_ones = _load(connection, identity)
        theirs = (*pinned, *open_ones)
        chosen = enabled_account(theirs, organization_id)
        if chosen is None and theirs:
            self.refuse(None, "the account is disabled", caller, theirs)
        if chosen is None:
            self.refuse(identity.email, "this identity has no account here", caller)
        with self.sign_in.database.writing() as connection:
            user = load_user(connection, chosen.id)
            if user is None or user.disabled_at is not None or not _is_theirs(user, identity):
                raise SignInRefused
            if user.identity_subject is None:
                _pin(connection, user, identity, now)
            return self.sign_in.let_in(connection, user, caller)

    def refuse(
        self, email: str | None, why: str, caller: Caller, users: Sequence[AnyRow] = ()
    ) -> NoReturn:
        """Raises `SignInRefused` after counting, or `RateLimited` without an audit event."""
        self.sign_in.attempts.begin(caller.from_address)
        _log.warning("sign_in_failed", why=why, address=caller.address)
        with self.sign_in.database.writing() as connection:
            if not users and email is not None and mistake_in_email(email) is None:
                users = find_users(connection, normal_email(email))
            record_failed_sign_in(connection, users, caller, why, self.sign_in.clock.now())
        raise SignInRefused


def _load(connection: Connection, identity: Identity) -> tuple[list[AnyRow], list[AnyRow]]:
    """Load accounts pinned to it, and in other organizations the unpinned ones of its address."""
    found = []
    if identity.email is not None and mistake_in_email(identity.email) is None:
        found = find_users(connection, normal_email(identity.email))
    # Read last: an account that is pinned between the two reads is found by one of them.
    pinned = find_pinned(connection, identity.issuer, identity.subject)
    places = {one.organization_id for one in pinned}
    open_ones = [
        one for one in found if one.identity_subject is None and one.organization_id not in places
    ]
    return pinned, open_ones


def _is_theirs(user: AnyRow, identity: Identity) -> bool:
    pin = (user.identity_issuer, user.identity_subject)
    return pin in {(identity.issuer, identity.subject), (None, None)}


def _pin(connection: Connection, user: AnyRow, identity: Identity, now: datetime) -> None:
    update_user(
        connection, user.id, now, identity_issuer=identity.issuer, identity_subject=identity.subject
    )
    actor = Actor(ActorKind.USER, user.name, user.id)
    change = AuditedChange(connection, actor, now)
    change.record_of(user, "user.identity_pinned", identity.issuer)
