"""Sign-in by password and second factor, or by access key.

A refusal gives no reason, so that it does not reveal who has an account. Each sign-in creates a
session and ends the browser's previous one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import Connection

from app.access.attempt_limits import AttemptKind, Subject
from app.access.attempts import Attempts, CountedAttempt, forget_attempts, withdraw
from app.access.audit import AuditedChange, AuditEvent
from app.access.principal import (
    Actor,
    ActorKind,
    Role,
    StoredKey,
    admit,
    check_source,
    hash_token,
    is_well_formed,
)
from app.access.store import load_key
from app.db.encryption import Cipher
from app.db.engine import Database
from app.db.rows import AnyRow
from app.kernel.clock import Clock
from app.kernel.errors import RateLimited, Unauthorized
from app.kernel.mail import normal_email
from app.users.caller import (
    SIGN_IN_FAILED,
    Caller,
    KnownBrowserCookie,
    of_account,
    record_failed_sign_in,
)
from app.users.passwords import hash_password, hash_slot, is_password, needs_new_hash
from app.users.second_factor import use_code
from app.users.sessions import begin_session, end_session, hash_session_token, load_session
from app.users.store import drop_sign_in_link, find_users, load_user, record_sign_in, update_user

_log = structlog.get_logger(__name__)


class SignInRefused(Exception):
    """Deliberately without a reason."""


class SeveralAccounts(Exception):
    """The credential is valid in several organizations: one must be named."""

    def __init__(self, organization_ids: Sequence[UUID]) -> None:
        self.organization_ids = tuple(organization_ids)
        super().__init__()


def enabled_account(found: Sequence[AnyRow], organization_id: UUID | None) -> AnyRow | None:
    """Return the one that is signed in to; raises `SeveralAccounts`."""
    live = [one for one in found if one.disabled_at is None]
    if organization_id is not None:
        live = [one for one in live if one.organization_id == organization_id]
    if len(live) > 1:
        raise SeveralAccounts([one.organization_id for one in live])
    return live[0] if live else None


@dataclass(frozen=True, slots=True)
class SignedIn:
    """It may still await the second factor; ``browser`` is the cookie of a known browser."""

    token: str = field(repr=False)
    awaits_second_factor: bool = False
    browser: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class SignIn:
    database: Database
    cipher: Cipher
    clock: Clock
    attempts: Attempts
    cookie: KnownBrowserCookie

    def by_password(
        self, email: str, password: str, caller: Caller, organization_id: UUID | None = None
    ) -> SignedIn:
        """Raises `SignInRefused`, `SeveralAccounts` (none is named) or `RateLimited`."""
        now, address = self.clock.now(), normal_email(email)
        with self.database.reading() as connection:
            found = find_users(connection, address)
        known = [
            one for one in found if caller.browser.knows(one.id, one.browsers_known_since, now)
        ]
        # The turn comes first, so that a flood costs neither a hash nor a write.
        with hash_slot(may_wait=bool(known)):
            attempt = self.attempts.begin(*_subjects(address, known, caller))
            right = _with_password(found, password)
        try:
            chosen = enabled_account(right, organization_id)
        except SeveralAccounts:
            self.attempts.give_back(attempt)
            raise
        if chosen is None:
            why = "the account is disabled" if right else "wrong password"
            return self._refuse(found, caller, why, attempt)
        renewed = _renewed_hash(chosen, password)
        with self.database.writing() as connection:
            user = load_user(connection, chosen.id)
            if (
                user is None
                or user.disabled_at is not None
                or user.password_hash != chosen.password_hash
            ):
                raise SignInRefused
            if renewed is not None:
                update_user(connection, user.id, now, password_hash=renewed)
            if user.totp_secret is None:
                return self.let_in(connection, user, caller, attempt)
            withdraw(connection, attempt)
            token = begin_session(
                connection, caller, now, user_id=user.id, awaits_second_factor=True
            )
            return SignedIn(token, awaits_second_factor=True)

    def by_code(self, code: str, caller: Caller) -> SignedIn:
        """Raises `SignInRefused` or `RateLimited`."""
        now, token = self.clock.now(), hash_session_token(caller.session_token or "")
        with self.database.reading() as connection:
            session = load_session(connection, token, now)
            if session is None or not session.awaits_second_factor:
                raise SignInRefused
            seen = load_user(connection, session.owner.principal_id)
        if seen is None:
            raise SignInRefused
        known = [seen] if caller.browser.knows(seen.id, seen.browsers_known_since, now) else []
        attempt = self.attempts.begin(*_subjects(seen.email, known, caller))
        with self.database.writing() as connection:
            user, session = load_user(connection, seen.id), load_session(connection, token, now)
            kind = None
            if user is not None and session is not None:
                kind = use_code(connection, self.cipher, user, code, now)
            if user is not None and kind is not None:
                if kind != "code":
                    actor = Actor(ActorKind.USER, user.name, user.id)
                    change = AuditedChange(connection, actor, now)
                    change.record_of(user, "user.recovery_code_used")
                return self.let_in(connection, user, caller, attempt)
        return self._refuse([seen], caller, "wrong code of the second factor", attempt)

    def by_key(self, token: str, caller: Caller) -> SignedIn:
        """Raises `SignInRefused`, `Forbidden` (outside the key's networks) or `RateLimited`."""
        now = self.clock.now()
        key = None
        if is_well_formed(token):
            with self.database.reading() as connection:
                key = load_key(connection, hash_token(token))
        try:
            principal = admit(key, Role.VIEWER, now)
        except Unauthorized:
            self._refuse_key(key, caller, now)
        check_source(principal.limits, caller.address)
        with self.database.writing() as connection:
            session_token = begin_session(connection, caller, now, access_key_id=principal.key_id)
            actor = Actor(ActorKind.ACCESS_KEY, principal.key_name, principal.key_id)
            change = AuditedChange(connection, actor, now)
            _record(change, principal.organization_id, "signed_in")
        return SignedIn(session_token)

    def _refuse_key(self, key: StoredKey | None, caller: Caller, now: datetime) -> None:
        self.attempts.begin(Subject(AttemptKind.KEY, caller.group))
        _log.warning("sign_in_failed", why="wrong access key", address=caller.address)
        if key is not None:
            of = key.principal
            reason = caller.describe_failure("the access key is expired or revoked")
            about = SIGN_IN_FAILED, of.workspace_id, of.key_id, reason, of.organization_id
            actor = Actor(ActorKind.SYSTEM, "sign-in")
            with self.database.writing() as connection:
                AuditedChange(connection, actor, now).record(AuditEvent(*about))
        raise SignInRefused

    def let_in(
        self,
        connection: Connection,
        user: AnyRow,
        caller: Caller,
        attempt: CountedAttempt | None = None,
    ) -> SignedIn:
        """Start the session of an identified user; without an attempt, identified elsewhere."""
        now = self.clock.now()
        token = begin_session(connection, caller, now, user_id=user.id)
        if attempt is not None:
            withdraw(connection, attempt)
            own = [one for one in attempt.subjects if one.kind is not AttemptKind.ADDRESS]
            forget_attempts(connection, *own)
        # Otherwise a person who reads an old mail could still choose a password.
        drop_sign_in_link(connection, user.id)
        record_sign_in(connection, user.id, now)
        actor = Actor(ActorKind.USER, user.name, user.id)
        _record(AuditedChange(connection, actor, now), user.organization_id, "signed_in")
        browser = self.cookie.write(caller.browser.after_sign_in(user.id, now))
        return SignedIn(token, browser=browser)

    def _refuse(
        self, users: Sequence[AnyRow], caller: Caller, why: str, attempt: CountedAttempt
    ) -> SignedIn:
        """Always raises `SignInRefused`."""
        now = self.clock.now()
        _log.warning("sign_in_failed", why=why, address=caller.address)
        of_accounts = [one for one in attempt.subjects if one.kind is AttemptKind.ACCOUNT]
        until = self.attempts.blocked_until(*of_accounts)
        with self.database.writing() as connection:
            record_failed_sign_in(connection, users, caller, why, now)
            for user in users:
                if until is not None:
                    update_user(connection, user.id, now, locked_until=until)
        raise SignInRefused


def _subjects(email: str, known: Sequence[AnyRow], caller: Caller) -> list[Subject]:
    """A known browser has only its own limit."""
    if known:
        return [caller.from_browser(one.id) for one in known]
    return [caller.from_address, of_account(email)]


def _renewed_hash(user: AnyRow, password: str) -> str | None:
    """None unless the hash has outdated parameters."""
    if not needs_new_hash(user.password_hash):
        return None
    try:
        return hash_password(password)
    except RateLimited:
        return None


def _with_password(found: Sequence[AnyRow], password: str) -> list[AnyRow]:
    """Takes as long if there are no accounts."""
    if not found:
        is_password(None, password)
    return [one for one in found if is_password(one.password_hash, password)]


def sign_out_of(connection: Connection, token_hash: str, now: datetime) -> None:
    """Audited only if the session was live and complete."""
    session = load_session(connection, token_hash, now)
    end_session(connection, token_hash, now)
    if session is not None and not session.awaits_second_factor:
        change = AuditedChange(connection, session.owner.actor, now)
        _record(change, session.owner.organization_id, "signed_out")


def _record(change: AuditedChange, organization_id: UUID, verb: str) -> None:
    change.record(AuditEvent(f"console.{verb}", organization_id=organization_id))
