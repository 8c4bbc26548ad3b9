"""Where an attempt to get in comes from, and whose limits it counts against."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.access.attempt_limits import AttemptKind, Subject
from app.users.known_browser import KnownBrowser


@dataclass(frozen=True, slots=True)
class Caller:
    """A browser at an address; ``group`` is what one subscriber can change of the address."""

    address: str
    group: str
    request_id: str
    browser: KnownBrowser
    session_token: str | None = None

    def knows(self, user_id: UUID, since: datetime | None, now: datetime) -> bool:
        """Say whether this user has signed in with this browser before."""
        return self.browser.knows(user_id, since, now)

    def said(self, why: str) -> str:
        """Return why an attempt failed, with where it came from, for the audit."""
        return f"{why}; address {self.address}; request {self.request_id}"

    @property
    def from_address(self) -> Subject:
        """Return the subject of wrong passwords from this address."""
        return Subject(AttemptKind.ADDRESS, self.group)

    def from_browser(self, user_id: UUID) -> Subject:
        """Return the subject of wrong passwords of one user from this browser."""
        return Subject(AttemptKind.BROWSER, f"{self.browser.browser_id}:{user_id}")


def of_account(email: str) -> Subject:
    """Return the subject of wrong passwords for the accounts of an address."""
    return Subject(AttemptKind.ACCOUNT, email)


def of_own(user_id: UUID) -> Subject:
    """Return the subject of wrong passwords of a person who is signed in."""
    return Subject(AttemptKind.OWN, str(user_id))
