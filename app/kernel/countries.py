"""Destination codes: ISO 3166-1 alpha-2, XK (Kosovo), AC (Ascension), TA (Tristan da Cunha).

Territories have codes of their own (ISO 3166-2); libphonenumber knows which codes have numbers.
"""

from collections.abc import Iterable
from functools import cache

import phonenumbers
from babel import Locale

_ISO_3166_1 = """
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT
BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH
ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT
HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS
LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI
NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG
SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG
UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
"""

ISO_CODES = frozenset(_ISO_3166_1.split())
BESIDE_ISO = frozenset({"XK", "AC", "TA"})
COUNTRIES = ISO_CODES | BESIDE_ISO
LANGUAGE = "en"  # that of all texts for people
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


def is_country(code: str) -> bool:
    """Whether a destination policy may name this code."""
    return code in COUNTRIES


@cache
def country_name(code: str, language: str = LANGUAGE) -> str:
    return str(Locale.parse(language).territories.get(code, code))


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
