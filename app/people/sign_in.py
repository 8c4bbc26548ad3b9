"""Signing in: by e-mail and password, with a second factor where one is set, or by access key.

What is wrong is never told apart: a stranger learns neither who has an account nor whether sign-in
is paused. Each sign-in makes a new session; the one that the browser had before ends.
"""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from app.access.actor import Actor
from app.access.audit import Deed, note_deed
from app.access.principal import ActorKind, admit
from app.access.roles import Role
from app.access.store import load_key
from app.access.tokens import hash_token, is_well_formed
from app.db.engine import Database
from app.db.rows import AnyRow
from app.db.vault import Vault
from app.kernel.clock import Clock
from app.kernel.errors import Unauthorized
from app.people.lockout import is_paused, paused_until
from app.people.passwords import hash_password, is_password, needs_new_hash
from app.people.second_factor import step_of_code, totp_owner
from app.people.session_tokens import HALF_WAY, LONGEST, hash_session_token, mint_session_token
from app.people.sessions import end_session, insert_session, load_session
from app.people.store import find_user, load_user, update_user


class SignInRefused(Exception):
    """Who asks is not let in; deliberately without a reason."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The token of a new session; half-way where the second factor is still to come."""

    token: str = field(repr=False)
    awaits_second_factor: bool = False


@dataclass(frozen=True, slots=True)
class SignIn:
    """The operations behind ``/console/sign-in``."""

    database: Database
    vault: Vault
    clock: Clock

    def by_password(self, email: str, password: str, earlier_token: str | None) -> SignedIn:
        """Let a person in by password.

        Raises:
            SignInRefused: no such person, another password, disabled, or paused after wrong ones.
        """
        now = self.clock.now()
        with self.database.reading() as connection:
            found = find_user(connection, email)
        # Outside a transaction: it takes its time on purpose.
        is_right = is_password(None if found is None else found.password_hash, password)
        with self.database.writing() as connection:
            user = None if found is None else load_user(connection, found.id)
            if user is not None and not is_paused(user.locked_until, now):
                if is_right and user.disabled_at is None:
                    return self._let_in(connection, user, password, earlier_token, now)
                _count_failure(connection, user, now)
        raise SignInRefused

    def _let_in(
        self,
        connection: Connection,
        user: AnyRow,
        password: str,
        earlier_token: str | None,
        now: datetime,
    ) -> SignedIn:
        if needs_new_hash(user.password_hash):
            update_user(connection, user.id, now, password_hash=hash_password(password))
        if user.totp_secret is None:
            return start_session(connection, user, earlier_token, now)
        token = mint_session_token()
        _end_earlier(connection, earlier_token, now)
        insert_session(
            connection,
            token_hash=hash_session_token(token),
            now=now,
            ends_at=now + HALF_WAY,
            user_id=user.id,
            awaits_second_factor=True,
        )
        return SignedIn(token, awaits_second_factor=True)

    def by_code(self, half_way_token: str, code: str) -> SignedIn:
        """Let a person in whose password was right, by a code of the second factor.

        Raises:
            SignInRefused: the code is wrong or was used, sign-in is paused, or began too long ago.
        """
        now = self.clock.now()
        with self.database.writing() as connection:
            session = load_session(connection, hash_session_token(half_way_token), now)
            user = None
            if session is not None and session.awaits_second_factor:
                user = load_user(connection, session.visitor_id)
            if user is not None and not is_paused(user.locked_until, now):
                step = self._step(user, code, now)
                if step is not None:
                    update_user(connection, user.id, now, totp_step=step)
                    return start_session(connection, user, half_way_token, now)
                _count_failure(connection, user, now)
        raise SignInRefused

    def _step(self, user: AnyRow, code: str, now: datetime) -> int | None:
        if user.totp_secret is None:
            return None
        secret = self.vault.open(totp_owner(user.id), user.totp_secret)
        return step_of_code(secret, code, user.totp_step, now)

    def by_verified_email(self, email: str, earlier_token: str | None) -> SignedIn:
        """Let a person in whom an identity provider vouches for; it asks for its own factors.

        Raises:
            SignInRefused: nobody has this address, or they are disabled.
        """
        with self.database.writing() as connection:
            user = find_user(connection, email)
            if user is None or user.disabled_at is not None:
                raise SignInRefused
            return start_session(connection, user, earlier_token, self.clock.now())

    def by_key(self, token: str, earlier_token: str | None) -> SignedIn:
        """Let an access key in; its role counts.

        Raises:
            SignInRefused: there is no such live key.
        """
        now = self.clock.now()
        if not is_well_formed(token):
            raise SignInRefused
        with self.database.writing() as connection:
            try:
                principal = admit(load_key(connection, hash_token(token)), Role.VIEWER, now)
            except Unauthorized as problem:
                raise SignInRefused from problem
            _end_earlier(connection, earlier_token, now)
            session_token = mint_session_token()
            insert_session(
                connection,
                token_hash=hash_session_token(session_token),
                now=now,
                ends_at=now + LONGEST,
                access_key_id=principal.key_id,
            )
            actor = Actor(ActorKind.ACCESS_KEY, principal.key_name, principal.key_id)
            _note_sign_in(connection, principal.organization_id, actor, now)
        return SignedIn(session_token)


def start_session(
    connection: Connection, user: AnyRow, earlier_token: str | None, now: datetime
) -> SignedIn:
    """Start the whole session of a person who has proved who they are."""
    token = mint_session_token()
    _end_earlier(connection, earlier_token, now)
    insert_session(
        connection,
        token_hash=hash_session_token(token),
        now=now,
        ends_at=now + LONGEST,
        user_id=user.id,
    )
    update_user(connection, user.id, now, failed_sign_ins=0, locked_until=None)
    actor = Actor(ActorKind.USER, user.name, user.id)
    _note_sign_in(connection, user.organization_id, actor, now)
    return SignedIn(token)


def _end_earlier(connection: Connection, earlier_token: str | None, now: datetime) -> None:
    if earlier_token is not None:
        end_session(connection, hash_session_token(earlier_token), now)


def _count_failure(connection: Connection, user: AnyRow, now: datetime) -> None:
    failures = user.failed_sign_ins + 1
    update_user(
        connection,
        user.id,
        now,
        failed_sign_ins=failures,
        locked_until=paused_until(failures, now),
    )


def _note_sign_in(
    connection: Connection, organization_id: UUID, actor: Actor, now: datetime
) -> None:
    note_deed(connection, actor, Deed(organization_id, None, "console.signed_in"), now)
