"""Territories with their own country codes, and codes without phone numbers. Pure.

Source: ISO 3166-1 and ISO 3166-2; libphonenumber for the numbers.
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
    """Return the separate territories that are not allowed too."""
    allowed = list(dict.fromkeys(codes))
    left_out = {
        code: tuple(one for one in SEPARATE.get(code, ()) if one not in allowed) for code in allowed
    }
    return {code: separate for code, separate in left_out.items() if separate}


def has_numbers(code: str) -> bool:
    """Whether libphonenumber knows numbers of a country."""
    return code in phonenumbers.SUPPORTED_REGIONS
