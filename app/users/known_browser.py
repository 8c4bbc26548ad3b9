"""A signed cookie that marks a browser in which a user has signed in before.

It grants no access, only a separate limit for wrong passwords, so that others cannot lock the user
out.
"""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from itsdangerous import BadData, URLSafeSerializer

from app.kernel.clock import from_unix_time

KNOWN_FOR = timedelta(days=180)
_MOST_USERS = 5
_ID_BYTES = 12


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
