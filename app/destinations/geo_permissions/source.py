"""The port to a provider's geo permissions.

Geo permissions apply after the policy here: what they block fails at the provider.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from app.access.provider_account import ProviderAccount


class GeoUnknown(Exception):
    """The provider could not be asked; the text says why and holds no secret.

    If ``is_misconfigured``, the account or its token is wrong and the owner must act.
    """

    def __init__(self, why: str, *, is_misconfigured: bool = False) -> None:
        self.is_misconfigured = is_misconfigured
        super().__init__(why)


@dataclass(frozen=True, slots=True)
class GeoPermission:
    """One entry of the provider's list; ``prefix`` and ``message`` are the provider's text.

    A code may have several entries, and may be no country here.
    """

    country: str
    is_open: bool
    is_high_risk: bool = False
    prefix: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class WantedPermission:
    """A country to open or to close at the provider."""

    country: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class ItemOutcome:
    """The result of one requested permission; ``problem`` is None if it was applied."""

    wanted: WantedPermission
    problem: str | None = None


class GeoPermissionSource(Protocol):
    """Reads and changes the geo permissions of an account."""

    def fetch(self, account: ProviderAccount) -> list[GeoPermission]:
        """Return every entry of an account, or raise `GeoUnknown`."""

    def update(
        self, account: ProviderAccount, wanted: Sequence[WantedPermission]
    ) -> list[ItemOutcome]:
        """Request changes and return the result of each, in order, or raise `GeoUnknown`."""
