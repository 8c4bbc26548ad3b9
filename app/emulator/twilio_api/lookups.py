"""Phone number lookups, answered by libphonenumber."""

from collections.abc import Mapping
from typing import Final

import phonenumbers
from flask import Blueprint, Response, jsonify, request
from phonenumbers import PhoneNumber, PhoneNumberType, ValidationResult

from app.emulator.accounts import region_of
from app.emulator.emulator import calling_account

blueprint = Blueprint("lookups", __name__)
_LINE_TYPE: Final[Mapping[int, str]] = {
    PhoneNumberType.FIXED_LINE: "landline",
    PhoneNumberType.MOBILE: "mobile",
    PhoneNumberType.FIXED_LINE_OR_MOBILE: "mobile",
    PhoneNumberType.TOLL_FREE: "tollFree",
    PhoneNumberType.PREMIUM_RATE: "premium",
    PhoneNumberType.SHARED_COST: "sharedCost",
    PhoneNumberType.VOIP: "nonFixedVoip",
    PhoneNumberType.PERSONAL_NUMBER: "personal",
    PhoneNumberType.PAGER: "pager",
    PhoneNumberType.UAN: "uan",
    PhoneNumberType.VOICEMAIL: "voicemail",
}
_WITH_CARRIER: Final = frozenset({"landline", "mobile", "fixedVoip", "nonFixedVoip"})
_LENGTH_PROBLEM: Final[Mapping[int, str]] = {
    ValidationResult.TOO_SHORT: "TOO_SHORT",
    ValidationResult.TOO_LONG: "TOO_LONG",
    ValidationResult.INVALID_LENGTH: "INVALID_LENGTH",
    ValidationResult.INVALID_COUNTRY_CODE: "INVALID_COUNTRY_CODE",
}
_OTHER_PACKAGES: Final = (
    "caller_name",
    "sim_swap",
    "call_forwarding",
    "line_status",
    "identity_match",
    "reassigned_number",
    "sms_pumping_risk",
    "phone_number_quality_score",
    "pre_fill",
)


@blueprint.get("/v2/PhoneNumbers/<number>")
def look_up(number: str) -> Response:
    calling_account()
    parsed, problems = _parsed(number, request.args.get("CountryCode"))
    fields = request.args.get("Fields", "").split(",")
    line_type = _line_type(parsed) if parsed and "line_type_intelligence" in fields else None
    basics = _valid(parsed) if parsed else _invalid(number, problems)
    return jsonify(
        **basics,
        **dict.fromkeys(_OTHER_PACKAGES),
        line_type_intelligence=line_type,
        url=f"https://lookups.twilio.com/v2/PhoneNumbers/{basics['phone_number']}",
    )


def _parsed(number: str, country: str | None) -> tuple[PhoneNumber | None, list[str]]:
    try:
        parsed = phonenumbers.parse(number, country)
    except phonenumbers.NumberParseException as error:
        wrong_country = error.error_type == phonenumbers.NumberParseException.INVALID_COUNTRY_CODE
        return None, ["INVALID_COUNTRY_CODE" if wrong_country else "NOT_A_NUMBER"]
    if phonenumbers.is_valid_number(parsed):
        return parsed, []
    reason = phonenumbers.is_possible_number_with_reason(parsed)
    return None, [_LENGTH_PROBLEM.get(reason, "INVALID_BUT_POSSIBLE")]


def _valid(parsed: PhoneNumber) -> dict[str, object]:
    e164 = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    return {
        "calling_country_code": str(parsed.country_code),
        "country_code": region_of(e164),
        "phone_number": e164,
        "national_format": phonenumbers.format_number(
            parsed, phonenumbers.PhoneNumberFormat.NATIONAL
        ),
        "valid": True,
        "validation_errors": None,
    }


def _invalid(number: str, problems: list[str]) -> dict[str, object]:
    unknown = dict.fromkeys(("calling_country_code", "country_code", "national_format"))
    return unknown | {"phone_number": number, "valid": False, "validation_errors": problems}


def _line_type(parsed: PhoneNumber) -> dict[str, object]:
    kind = _LINE_TYPE.get(phonenumbers.number_type(parsed), "unknown")
    return {
        "error_code": None,
        "mobile_country_code": "001" if kind == "mobile" else None,
        "mobile_network_code": "01" if kind == "mobile" else None,
        "carrier_name": "Emulated Carrier" if kind in _WITH_CARRIER else None,
        "type": kind,
    }
