"""The origin of a sign-in attempt, its limits, and the audit events of users."""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy import Connection, select

from app.access.attempt_limits import AttemptKind, Subject
from app.access.audit import AuditedChange, AuditEvent
from app.access.principal import Actor, ActorKind
from app.access.tables import organizations
from app.db.rows import AnyRow
from app.kernel.clock import from_unix_time

KNOWN_FOR = timedelta(days=180)
_MOST_USERS = 5
_ID_BYTES = 12
# The first one that a User-Agent contains: many browsers also name the ones that they descend from.
_BROWSERS = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "SamsungBrowser/": "Samsung Internet",
    "Firefox/": "Firefox",
    "FxiOS/": "Firefox",
    "CriOS/": "Chrome",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
    "curl/": "curl",
}
_SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "Windows": "Windows",
    "Macintosh": "macOS",
    "CrOS": "ChromeOS",
    "Linux": "Linux",
}
SIGN_IN_FAILED = "console.sign_in_failed"


@dataclass(frozen=True, slots=True)
class KnownBrowser:
    browser_id: str
    signed_in_at: Mapping[UUID, datetime]

    def knows(self, user_id: UUID, since: datetime | None, now: datetime) -> bool:
        """Whether this user signed in within `KNOWN_FOR` and not before ``since``."""
        at = self.signed_in_at.get(user_id)
        if at is None or at <= now - KNOWN_FOR:
            return False
        return since is None or at >= since.replace(microsecond=0)

    def after_sign_in(self, user_id: UUID, now: datetime) -> "KnownBrowser":
        """Forgets the users of longest ago."""
        users = {**self.signed_in_at, user_id: now}
        kept = sorted(users, key=users.__getitem__)[-_MOST_USERS:]
        return KnownBrowser(self.browser_id, {one: users[one] for one in kept})


@dataclass(frozen=True, slots=True)
class KnownBrowserCookie:
    """A signed cookie that marks a browser in which a user has signed in before.

    It grants no access, only a separate limit for wrong passwords, so that others cannot lock
    the user out.
    """

    secret: str = field(repr=False)

    def read(self, cookie: str | None) -> KnownBrowser:
        """An invalid cookie gives a new browser."""
        try:
            found: Any = self._serializer().loads(cookie or "")
            users = {UUID(user_id): from_unix_time(at) for user_id, at in found["users"].items()}
            return KnownBrowser(str(found["id"]), users)
        except (BadData, ValueError, TypeError, KeyError, AttributeError, OverflowError):
            return KnownBrowser(secrets.token_urlsafe(_ID_BYTES), {})

    def write(self, browser: KnownBrowser) -> str:
        users = {one.hex: int(at.timestamp()) for one, at in browser.signed_in_at.items()}
        return str(self._serializer().dumps({"id": browser.browser_id, "users": users}))

    def _serializer(self) -> URLSafeSerializer:
        return URLSafeSerializer(
            self.secret,
            salt="borderpost-known-browser",
            signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"},
        )


def device_of(user_agent: str) -> str | None:
    """Return browser and system, or None."""
    browser, system = (
        next((name for mark, name in names.items() if mark in user_agent), None)
        for names in (_BROWSERS, _SYSTEMS)
    )
    return " on ".join(name for name in (browser, system) if name) or None


@dataclass(frozen=True, slots=True)
class Caller:
    """``group`` is the part of the address that one subscriber cannot change."""

    address: str
    group: str
    request_id: str
    browser: KnownBrowser
    session_token: str | None = None
    device: str | None = None

    def describe_failure(self, why: str) -> str:
        return f"{why}; address {self.address}; request {self.request_id}"

    @property
    def from_address(self) -> Subject:
        return Subject(AttemptKind.ADDRESS, self.group)

    def from_browser(self, user_id: UUID) -> Subject:
        return Subject(AttemptKind.BROWSER, f"{self.browser.browser_id}:{user_id}")


def of_account(email: str) -> Subject:
    return Subject(AttemptKind.ACCOUNT, email)


def of_own(user_id: UUID) -> Subject:
    return Subject(AttemptKind.OWN, str(user_id))


def record_failed_sign_in(
    connection: Connection, users: Sequence[AnyRow], caller: Caller, why: str, now: datetime
) -> None:
    """Write the audit event of a failed sign-in, with address and request id.

    For an unknown account it belongs to the only organization; if there are several, none is
    written.
    """
    places: list[tuple[UUID, UUID | None]] = [(user.organization_id, user.id) for user in users]
    if not users:
        found = connection.execute(select(organizations.c.id).limit(2)).scalars().all()
        places = [(one, None) for one in found if len(found) == 1]
    for organization_id, target in places:
        reason = caller.describe_failure(why)
        event = AuditEvent(SIGN_IN_FAILED, None, target, reason, organization_id)
        AuditedChange(connection, Actor(ActorKind.SYSTEM, "sign-in"), now).record(event)
