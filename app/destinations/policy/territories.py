"""Territories with their own country codes, and codes without phone numbers. Pure.

Allowing a country allows its own code only. Source: ISO 3166-1 and ISO 3166-2; libphonenumber
assigns the numbers. Territories without numbers are left out.
"""

from collections.abc import Iterable

import phonenumbers

SEPARATE: dict[str, tuple[str, ...]] = {
    "US": ("PR", "GU", "VI", "AS", "MP"),
    "GB": ("GG", "JE", "IM"),
    "FR": ("GP", "MQ", "GF", "RE", "YT", "PM", "BL", "MF", "NC", "PF", "WF"),
    "NL": ("AW", "CW", "SX", "BQ"),
    "DK": ("FO", "GL"),
    "NO": ("SJ",),
    "FI": ("AX",),
    "AU": ("CC", "CX", "NF"),
    "NZ": ("CK", "NU", "TK"),
}


def hints_for(codes: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return, for each country that is being allowed, its separate codes that are not."""
    allowed = list(dict.fromkeys(codes))
    left_out = {
        code: tuple(one for one in SEPARATE.get(code, ()) if one not in allowed) for code in allowed
    }
    return {code: separate for code, separate in left_out.items() if separate}


def has_numbers(code: str) -> bool:
    """Say whether any number can belong to a country, as far as libphonenumber knows."""
    return code in phonenumbers.SUPPORTED_REGIONS
