"""Changes of the own account: password, second factor and recovery codes.

Each needs the password again, and a code if a second factor is set. Wrong ones count like those of
a sign-in.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

import pyotp

from app.access.attempts import Attempts, CountedAttempt, forget_attempts, withdraw
from app.access.audit import AuditedChange
from app.access.principal import Actor
from app.access.store import required
from app.db.encryption import Cipher
from app.db.engine import Database
from app.db.installation import encrypt_for_all
from app.db.rows import AnyRow
from app.kernel.clock import Clock
from app.kernel.errors import ValidationFailed
from app.users.caller import Caller, of_own, record_failed_sign_in
from app.users.password_rules import mistake_in_password
from app.users.passwords import hash_password, hash_slot, is_password
from app.users.second_factor import (
    drop_recovery_codes,
    load_pending_secret,
    put_pending_secret,
    replace_recovery_codes,
    step_of_code,
    totp_owner,
    use_code,
)
from app.users.sessions import end_sessions_of
from app.users.store import load_user, update_user

_WRONG_CODE = "Is not a code that the app shows now, nor an unused recovery code."
_CHANGED = "Your password was changed at the same moment. Try again."
_TOO_OLD = "Setting it up took too long. Begin again under Your account."


@dataclass(frozen=True, slots=True)
class Reauthentication:
    user_id: UUID
    session_id: UUID
    actor: Actor
    caller: Caller
    password: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class OwnAccount:
    """They raise `ValidationFailed` for wrong credentials, `RateLimited` after too many."""

    database: Database
    cipher: Cipher
    clock: Clock
    attempts: Attempts

    def change_password(self, me: Reauthentication, new: str) -> None:
        """Also ends the other sessions."""
        mistake = mistake_in_password(new, self._load(me).email)
        problems = {} if mistake is None else {"$.new_password": [mistake]}
        checked = self._check_password(me, "$.current_password", problems)
        new_hash = hash_password(new)

        with self._changing(me, checked, asks_code=False) as (change, user):
            update_user(change.connection, user.id, change.now, password_hash=new_hash)
            end_sessions_of(change.connection, user.id, change.now, but=me.session_id)
            change.record_of(user, "user.password_changed")

    def start_second_factor(self, me: Reauthentication) -> str:
        """Store a new secret for this session; `set_second_factor` makes it effective."""
        secret = pyotp.random_base32()
        with self._changing(me) as (change, _):
            put_pending_secret(change.connection, self.cipher, me.session_id, secret, change.now)
        return secret

    def pending_secret(self, session_id: UUID) -> str | None:
        with self.database.reading() as connection:
            return load_pending_secret(connection, self.cipher, session_id, self.clock.now())

    def set_second_factor(self, me: Reauthentication) -> list[str]:
        """Return the recovery codes."""
        now = self.clock.now()
        with self.database.writing() as connection:
            user = required(load_user(connection, me.user_id))
            secret = load_pending_secret(connection, self.cipher, me.session_id, now)
            if secret is None:
                raise ValidationFailed({"$.code": [_TOO_OLD]})
            step = step_of_code(secret, me.code, None, now)
            if step is None:
                raise ValidationFailed({"$.code": ["Is not the code that the app shows now."]})
            encrypted = encrypt_for_all(connection, self.cipher, totp_owner(user.id), secret)
            update_user(connection, user.id, now, totp_secret=encrypted, totp_step=step)
            put_pending_secret(connection, self.cipher, me.session_id, None, now)
            codes = replace_recovery_codes(connection, user.id, now)
            AuditedChange(connection, me.actor, now).record_of(user, "user.second_factor_set")
        return codes

    def remove_second_factor(self, me: Reauthentication) -> None:
        with self._changing(me) as (change, user):
            update_user(change.connection, user.id, change.now, totp_secret=None, totp_step=None)
            drop_recovery_codes(change.connection, user.id)
            change.record_of(user, "user.second_factor_removed")

    def make_recovery_codes(self, me: Reauthentication) -> list[str]:
        """Also raises `ValidationFailed` without a second factor."""
        with self._changing(me) as (change, user):
            if user.totp_secret is None:
                raise ValidationFailed({"$": ["Recovery codes belong to a second factor."]})
            codes = replace_recovery_codes(change.connection, user.id, change.now)
            change.record_of(user, "user.recovery_codes_made")
        return codes

    def _check_password(
        self, me: Reauthentication, field: str, problems: Mapping[str, list[str]]
    ) -> tuple[AnyRow, CountedAttempt]:
        seen = self._load(me)
        with hash_slot():
            attempt = self.attempts.begin(of_own(me.user_id))
            is_right = is_password(seen.password_hash, me.password)
        if not is_right:
            self._note_failure(me, seen, "wrong password of a person who is signed in")
            raise ValidationFailed({**problems, field: ["Is not your password."]})
        if problems:
            self.attempts.give_back(attempt)
            raise ValidationFailed(problems)
        return seen, attempt

    @contextmanager
    def _changing(
        self,
        me: Reauthentication,
        checked: tuple[AnyRow, CountedAttempt] | None = None,
        *,
        asks_code: bool = True,
    ) -> Iterator[tuple[AuditedChange, AnyRow]]:
        """Yield the change and the user, once the password and the code are right."""
        seen, attempt = checked or self._check_password(me, "$.password", {})
        with self.database.writing() as connection:
            user = required(load_user(connection, me.user_id))
            if user.password_hash != seen.password_hash:
                raise ValidationFailed({"$": [_CHANGED]})
            needs_code = asks_code and user.totp_secret is not None
            now = self.clock.now()
            if not needs_code or use_code(connection, self.cipher, user, me.code, now):
                withdraw(connection, attempt)
                forget_attempts(connection, of_own(me.user_id))
                yield AuditedChange(connection, me.actor, now), user
                return
        self._note_failure(me, seen, "wrong code of a person who is signed in")
        raise ValidationFailed({"$.code": [_WRONG_CODE]})

    def _note_failure(self, me: Reauthentication, user: AnyRow, why: str) -> None:
        with self.database.writing() as connection:
            record_failed_sign_in(connection, [user], me.caller, why, self.clock.now())

    def _load(self, me: Reauthentication) -> AnyRow:
        with self.database.reading() as connection:
            return required(load_user(connection, me.user_id))
