"""The known geo permissions of a provider account. Pure.

A country without its own entry has the state of the entry that covers it; without one it is
unknown.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from app.destinations.geo_source import GeoPermission
from app.kernel.countries import is_country

# Twilio lets nothing through to these, whatever the geo permissions say: Iran since 2025-03-15,
# Syria and Cuba since 2025-09-15. Source: https://www.twilio.com/docs/api/errors/21408
UNSUPPORTED = frozenset({"CU", "IR", "SY"})

# Whose entry speaks for a country that has none. Permissions go by calling code, and the provider
# lists some together: "Australia/Cocos/Christmas Island", "Finland/Aland Islands",
# "Guernsey/Jersey", "Morocco/Western Sahara", "Reunion/Mayotte", Curacao with the Caribbean
# Netherlands. The rest are territories that share the calling code of the country named here. The
# North American plan is left out: each of its countries is told apart by its area codes.
COVERED_BY: Mapping[str, tuple[str, ...]] = {
    "AX": ("FI",),
    "BL": ("GP",),
    "BQ": ("CW",),
    "CC": ("AU",),
    "CX": ("AU",),
    "EH": ("MA",),
    "GG": ("JE", "GB"),
    "IM": ("GB",),
    "JE": ("GG", "GB"),
    "MF": ("GP",),
    "SJ": ("NO",),
    "TA": ("SH",),
    "VA": ("IT",),
    "YT": ("RE",),
}


@dataclass(frozen=True, slots=True)
class Gate:
    """The state of one entry."""

    is_open: bool
    is_high_risk: bool = False


@dataclass(frozen=True, slots=True)
class ProviderGates:
    """The entries of one account by country; empty if it was never asked."""

    entries: Mapping[str, Gate] = field(default_factory=dict)

    def entry_of(self, country: str) -> str | None:
        """Return the code whose entry covers a country; None if there is none."""
        candidates = (country, *COVERED_BY.get(country, ()))
        return next((code for code in candidates if code in self.entries), None)

    def is_closed(self, country: str | None) -> bool | None:
        """Return whether the provider blocks a country; None if unknown."""
        if country is None or not self.entries:
            return None
        if country in UNSUPPORTED:
            return True
        entry = self.entry_of(country)
        return None if entry is None else not self.entries[entry].is_open

    def is_high_risk(self, country: str) -> bool:
        """Say whether the provider calls a country high-risk."""
        entry = self.entry_of(country)
        return entry is not None and self.entries[entry].is_high_risk


def gates_from(permissions: Iterable[GeoPermission]) -> ProviderGates:
    """Read the provider's list; unknown country codes are left out.

    Of several entries the one with the shortest prefix applies (+34 before +3491); of equally short
    ones all must be open.
    """
    found: dict[str, list[GeoPermission]] = {}
    for permission in permissions:
        if is_country(permission.country):
            found.setdefault(permission.country, []).append(permission)
    return ProviderGates({country: _gate(entries) for country, entries in found.items()})


def _gate(entries: list[GeoPermission]) -> Gate:
    shortest = min(len(entry.prefix) for entry in entries)
    main = [entry for entry in entries if len(entry.prefix) == shortest]
    return Gate(
        is_open=all(entry.is_open for entry in main),
        is_high_risk=any(entry.is_high_risk for entry in entries),
    )
