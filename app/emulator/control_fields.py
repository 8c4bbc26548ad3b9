"""Decides which fields each control takes.

It must not know what a control does with them.
"""

from typing import Any, Final

from app.emulator.accounts import BrandStatus
from app.emulator.geo_table import REGIONS, UNSUPPORTED
from app.emulator.json_fields import (
    Problems,
    flag,
    list_of,
    map_of,
    members,
    nullable,
    number,
    one_of,
    text,
)
from app.emulator.records import Status
from app.emulator.scenarios import CallbackMode, CreateAnswer, FinalStatus, Scenario

_SECONDS: Final = number(0, 300)
_ERROR_CODE: Final = number(1, 99_999, whole=True)
_NUMBER: Final = r"\+[1-9][0-9]{1,14}"
_SCENARIO: Final = {
    "callbacks": one_of(CallbackMode),
    "final": one_of(FinalStatus),
    "error_code": _ERROR_CODE,
    "create": one_of(CreateAnswer),
    "reject_code": _ERROR_CODE,
    "reject_status": number(400, 599, whole=True),
    "retry_after_seconds": number(0, 300, whole=True),
    "hold_seconds": _SECONDS,
    "delay_seconds": _SECONDS,
    "pace_seconds": nullable(_SECONDS),
}


def _scenario(value: object, path: str, problems: Problems) -> Scenario:
    given = members(_SCENARIO)(value, path, problems)
    return Scenario(**given)


def _repeated(value: object, path: str, problems: Problems) -> list[Scenario]:
    fields = {**_SCENARIO, "times": number(1, 10_000, whole=True)}
    given: dict[str, Any] = members(fields)(value, path, problems)
    times = given.pop("times", 1)
    return [Scenario(**given)] * (times if isinstance(times, int) else 1)


def _region_flags(value: object, path: str, problems: Problems) -> dict[str, bool]:
    flags: dict[str, bool] = map_of("[A-Z]{2}", "two capital letters", flag)(value, path, problems)
    for region, enabled in flags.items():
        if region not in REGIONS:
            problems.add(f"{path}.{region}", "is not a region of libphonenumber")
        elif enabled and region in UNSUPPORTED:
            problems.add(f"{path}.{region}", "can never be enabled")
    return flags


SCENARIOS: Final = members(
    {
        "next": list_of(_repeated),
        "to": map_of(_NUMBER, "an E.164 number", _scenario),
        "default": _scenario,
    }
)
FORCED_STATUS: Final = members(
    {"status": one_of(Status), "error_code": _ERROR_CODE, "notify": flag}, required=("status",)
)
ACCOUNT: Final = members(
    {
        "auth_token": text(".+", "a string that is not empty"),
        "api_keys": map_of("SK[0-9a-fA-F]{32}", "an API key sid", text(".+", "a secret")),
        "geo_permissions": _region_flags,
        "brand_status": one_of(BrandStatus),
        "campaign_status": nullable(text("[A-Z_]+", "a word in capitals, or null")),
    }
)
INBOUND: Final = members(
    {
        "account_sid": text("AC[0-9a-fA-F]{32}", "an account sid"),
        "url": text("https?://.+", "a web address"),
        "from": text(_NUMBER, "an E.164 number"),
        "to": text(r"\+?[0-9]{3,15}", "a phone number or short code"),
        "body": text(".{0,1600}", "a string of at most 1600 characters"),
        "messaging_service_sid": text("MG[0-9a-fA-F]{32}", "a Messaging Service sid"),
        "opt_out_type": text("STOP|START|HELP", "one of: STOP, START, HELP"),
    },
    required=("account_sid", "url", "from", "to", "body"),
)
