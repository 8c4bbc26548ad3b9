"""Links through which a person chooses a password: after an invitation or a reset.

A link works once and expires. A new link replaces the one before, and any sign-in ends it.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from smtplib import SMTPException
from uuid import UUID

import structlog
from sqlalchemy import Connection, delete, insert, select

from app.access.attempts import forget_attempts
from app.access.audit import AuditedChange
from app.access.principal import Actor, ActorKind
from app.db.rows import AnyRow
from app.kernel.clock import rfc3339
from app.kernel.errors import ValidationFailed
from app.kernel.mail import MailServer, mistake_in_email
from app.smtp import connected, describe_failure, new_message
from app.users.caller import Caller, of_account, of_own
from app.users.passwords import choose_password
from app.users.sessions import end_sessions_of, hash_session_token
from app.users.sign_in import SignedIn, SignIn
from app.users.store import drop_sign_in_link, load_user, update_user
from app.users.tables import sign_in_links, users

LASTS = timedelta(days=3)
_BYTES = 32
_MAIL_SECONDS = 15.0
_log = structlog.get_logger(__name__)


class LinkExpired(Exception):
    """Expired, used, replaced or never valid; deliberately without the reason."""


def create_sign_in_link(change: AuditedChange, user: AnyRow) -> str:
    """Return the token of a link, which replaces the person's other link."""
    token = secrets.token_urlsafe(_BYTES)
    drop_sign_in_link(change.connection, user.id)
    values = {"user_id": user.id, "token_hash": hash_session_token(token)}
    times = {"created_at": change.now, "expires_at": change.now + LASTS}
    change.connection.execute(insert(sign_in_links).values(values | times))
    change.record_of(user, "user.link_created")
    return token


def mail_sign_in_link(
    server: MailServer, public_url: str, email: str, address: str, expires_at: datetime
) -> bool:
    if mistake_in_email(email) is not None:  # accepted by an older version: it may be several
        _log.warning("sign_in_link_mail_failed", why="address")
        return False
    message = new_message(server, email, "Borderpost: choose your password")
    message.set_content(
        "Choose the password of your Borderpost account here:\n\n"
        f"{address}\n\n"
        f"The link works once, until {rfc3339(expires_at)}. "
        "If you do not expect this mail, ignore it.\n"
    )
    try:
        with connected(server, public_url, within_seconds=_MAIL_SECONDS) as client:
            client.send_message(message)
    except (OSError, SMTPException) as problem:
        _log.warning("sign_in_link_mail_failed", **describe_failure(problem))
        return False
    return True


@dataclass(frozen=True, slots=True)
class UseSignInLink:
    sign_in: SignIn

    def find(self, token: str) -> AnyRow:
        """Raises `LinkExpired`."""
        columns = sign_in_links.c
        query = (
            select(users)
            .join(sign_in_links, columns.user_id == users.c.id)
            .where(columns.token_hash == hash_session_token(token))
            .where(columns.expires_at > self.sign_in.clock.now(), users.c.disabled_at.is_(None))
        )
        with self.sign_in.database.reading() as connection:
            user = connection.execute(query).one_or_none()
        if user is None:
            raise LinkExpired
        return user

    def __call__(self, token: str, password: str, caller: Caller) -> SignedIn:
        """Set the password of a link's person, end the link and sign them in.

        Raises `LinkExpired`, `ValidationFailed` (weak password; the link stays valid) or
        `RateLimited` (too many hashes).
        """
        found = self.find(token)
        chosen = choose_password(password, found.email)
        if chosen.mistake is not None:
            raise ValidationFailed({"$.password": [chosen.mistake]})
        now = self.sign_in.clock.now()
        with self.sign_in.database.writing() as connection:
            user = load_user(connection, found.id)
            if user is None or user.disabled_at is not None or not _use(connection, token, user.id):
                raise LinkExpired
            update_user(connection, user.id, now, password_hash=chosen.hash)
            end_sessions_of(connection, user.id, now)
            forget_attempts(connection, of_account(user.email), of_own(user.id))
            actor = Actor(ActorKind.USER, user.name, user.id)
            AuditedChange(connection, actor, now).record_of(user, "user.password_set")
            return self.sign_in.let_in(connection, user, caller)


def _use(connection: Connection, token: str, user_id: UUID) -> bool:
    columns = sign_in_links.c
    used = delete(sign_in_links).where(
        columns.user_id == user_id, columns.token_hash == hash_session_token(token)
    )
    return connection.execute(used).rowcount == 1
