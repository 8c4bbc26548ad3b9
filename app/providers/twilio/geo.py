"""Twilio's messaging geo permissions.

Source: Twilio, GeoPermissions resource and error 30649. No path contains an account, so a
subaccount uses its own token. A refused change is reported per item inside a 200.
"""

from collections.abc import Sequence
from typing import Any

from app.kernel.countries import is_country
from app.providers.port import (
    GeoFacts,
    GeoPermission,
    ItemOutcome,
    ProviderAccount,
    ProviderUnknown,
    WantedPermission,
)
from app.providers.twilio.client import TwilioClients, get_json

_FACTS = GeoFacts(
    # Iran since 2025-03-15, Syria and Cuba since 2025-09-15. Source: Twilio, error 21408.
    unsupported=frozenset({"CU", "IR", "SY"}),
    # Permissions go by calling code, and Twilio lists some together: "Australia/Cocos/Christmas
    # Island", "Finland/Aland Islands", "Guernsey/Jersey", "Morocco/Western Sahara",
    # "Reunion/Mayotte", Curacao with the Caribbean Netherlands. The rest are territories that share
    # the calling code of the country named here. The North American plan is left out: its countries
    # are told apart by their area codes.
    covered_by={
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
    },
    error_code=21408,
    page="https://console.twilio.com/us1/develop/sms/settings/geo-permissions",
)
# Asked without the SDK's classes, which a web process would keep after its start: 6 MiB.
_URL = "https://accounts.twilio.com/v1/Messaging/GeoPermissions"
_COUNTRY = "country"
_ONLY_IN_CONSOLE = 30649


class TwilioGeoPermissions:
    facts = _FACTS

    def __init__(self, clients: TwilioClients) -> None:
        self._clients = clients

    def fetch(self, account: ProviderAccount) -> list[GeoPermission]:
        listed = self._clients.ask(account, lambda it: get_json(it, _URL).get("permissions"))
        found = (_read(entry) for entry in _entries(listed))
        return [permission for permission in found if permission is not None]

    def update(
        self, account: ProviderAccount, wanted: Sequence[WantedPermission]
    ) -> list[ItemOutcome]:
        """Changes may have been applied even if this raises `ProviderUnknown`."""
        items = [
            {"country_code": one.country, "type": _COUNTRY, "enabled": one.is_open}
            for one in wanted
        ]
        answer = self._clients.ask(
            account, lambda it: it.accounts.v1.messaging_geopermissions.update(permissions=items)
        )
        codes = {
            entry.get("country_code"): entry.get("error_code")
            for entry in _entries(answer.permissions)
            if isinstance(entry.get("country_code"), str)
        }
        return [ItemOutcome(one, _problem(codes.get(one.country))) for one in wanted]


def _entries(permissions: object) -> list[dict[str, Any]]:
    if not isinstance(permissions, list):
        raise ProviderUnknown("Twilio's answer holds no list of permissions")
    return [entry for entry in permissions if isinstance(entry, dict)]


def _read(entry: dict[str, Any]) -> GeoPermission | None:
    """None if it is not a country here."""
    country, enabled = entry.get("country_code"), entry.get("enabled")
    if entry.get("type", _COUNTRY) != _COUNTRY or not isinstance(country, str):
        return None
    if not is_country(country):
        return None
    if not isinstance(enabled, bool):
        raise ProviderUnknown(f"Twilio's answer does not say whether {country} is enabled")
    message = str(entry.get("message") or "")
    return GeoPermission(
        country=country,
        is_open=enabled,
        is_high_risk="high risk" in message.lower().replace("-", " "),
        prefix=str(entry.get("prefix") or ""),
        message=message,
    )


def _problem(error_code: object) -> str | None:
    if not isinstance(error_code, int) or isinstance(error_code, bool):
        return "Twilio's answer does not say what became of it"
    if error_code == _ONLY_IN_CONSOLE:
        return f"Twilio refused it ({error_code}): only its Console can change this country"
    return None if error_code == 0 else f"Twilio refused it ({error_code})"
