"""The origin of a sign-in attempt, and its limits."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.access.attempt_limits import AttemptKind, Subject
from app.users.known_browser import KnownBrowser

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


def device_of(user_agent: str) -> str | None:
    """Return browser and system, or None."""
    browser, system = (
        next((name for mark, name in names.items() if mark in user_agent), None)
        for names in (_BROWSERS, _SYSTEMS)
    )
    return " on ".join(name for name in (browser, system) if name) or None


@dataclass(frozen=True, slots=True)
class Caller:
    """A browser at an address.

    ``group`` is the part of the address that one subscriber cannot change.
    """

    address: str
    group: str
    request_id: str
    browser: KnownBrowser
    session_token: str | None = None
    device: str | None = None

    def knows(self, user_id: UUID, since: datetime | None, now: datetime) -> bool:
        return self.browser.knows(user_id, since, now)

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
