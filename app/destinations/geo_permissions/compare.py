"""The difference between a policy and the provider's geo permissions. Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import phonenumbers

from app.destinations.geo_permissions.permissions import UNSUPPORTED, GeoPermissions
from app.destinations.policy.evaluate import Policy, decide
from app.kernel.countries import COUNTRIES
from app.kernel.phone import Destination, NumberKind


@dataclass(frozen=True, slots=True)
class Comparison:
    """The four lists of country codes, each sorted."""

    allowed_here_closed_there: tuple[str, ...] = ()
    closed_here_open_there: tuple[str, ...] = ()
    high_risk: tuple[str, ...] = ()
    unsupported: tuple[str, ...] = ()

    @property
    def differs(self) -> bool:
        """Return whether one side is open and the other closed."""
        return bool(self.allowed_here_closed_there or self.closed_here_open_there)

    def as_json(self) -> dict[str, list[str]]:
        """Write the lists in the words of the API."""
        return {name: list(getattr(self, name)) for name in self.__slots__}


def compare_with_provider(allowed: Collection[str], geo_permissions: GeoPermissions) -> Comparison:
    """Compare the allowed countries with the provider's geo permissions.

    Countries that the provider never serves count as closed there. Without any known permission
    there is no comparison.
    """
    if not geo_permissions.entries:
        return Comparison()
    closed = {country: geo_permissions.is_closed(country) for country in sorted(COUNTRIES)}
    return Comparison(
        allowed_here_closed_there=tuple(c for c in closed if closed[c] is True and c in allowed),
        closed_here_open_there=tuple(c for c in closed if closed[c] is False and c not in allowed),
        high_risk=tuple(
            c
            for c in closed
            if geo_permissions.is_high_risk(c) and (c in allowed or closed[c] is False)
        ),
        unsupported=tuple(c for c in closed if c in UNSUPPORTED and c in allowed),
    )


def allowed_countries(policy: Policy, now: datetime) -> frozenset[str]:
    """Return the countries that a policy allows at large."""
    return frozenset(c for c in COUNTRIES if decide(policy, at_large(c), now).allowed)


def at_large(country: str) -> Destination:
    """Return a country as a destination without a specific number."""
    calling_code = phonenumbers.country_code_for_region(country)
    beginning = f"+{calling_code}" if calling_code else ""
    return Destination(beginning, True, country, NumberKind.MOBILE, True)
