"""The port to a provider's geo permissions: what is asked of it, and in which words it answers.

No vendor is named here. Geo permissions are the provider's own gate: what it does not let through
fails there, whatever the policy here says.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from app.access.provider_account import ProviderAccount


class GeoUnknown(Exception):
    """The provider could not be asked; the text says why and holds no secret.

    ``is_misconfigured`` says that the owner must act: the account or its token is wrong.
    """

    def __init__(self, why: str, *, is_misconfigured: bool = False) -> None:
        self.is_misconfigured = is_misconfigured
        super().__init__(why)


@dataclass(frozen=True, slots=True)
class GeoPermission:
    """One entry of the provider's list; ``prefix`` and ``message`` are its own words.

    A code may stand in several entries, and may be one that is no country here.
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
    """What became of one wanted permission; ``problem`` is null where it was applied."""

    wanted: WantedPermission
    problem: str | None = None


class GeoPermissionSource(Protocol):
    """Who knows the geo permissions of an account, and can change some of them."""

    def fetch(self, account: ProviderAccount) -> list[GeoPermission]:
        """Return every entry of an account, or raise `GeoUnknown`."""

    def update(
        self, account: ProviderAccount, wanted: Sequence[WantedPermission]
    ) -> list[ItemOutcome]:
        """Ask for changes and return what became of each, in order, or raise `GeoUnknown`."""
