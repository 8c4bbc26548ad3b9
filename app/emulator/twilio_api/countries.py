"""Twilio's messaging geo permissions, and its prices of outbound messages by country."""

import json
from decimal import Decimal
from typing import Final

from flask import Blueprint, Response, jsonify, request

from app.emulator.accounts import (
    CURRENCY,
    HIGH_RISK,
    REGIONS,
    UNSUPPORTED,
    Account,
    calling_prefix,
    price_of_segment,
    price_on_second_network,
)
from app.emulator.emulator import calling_account, current_emulator
from app.emulator.errors import TwilioError

blueprint = Blueprint("countries", __name__)
_PERMISSIONS: Final = "/v1/Messaging/GeoPermissions"
_ITEM_ERROR: Final = 30649
_HOST: Final = "https://pricing.twilio.com"
_PRICES: Final = "/v1/Messaging/Countries"


@blueprint.get(_PERMISSIONS)
def read() -> Response:
    account = calling_account()
    asked = request.args.get("CountryCode", "")
    wanted = set(asked.split(",")) if asked else set(REGIONS)
    return jsonify(permissions=[_entry(account, code) for code in REGIONS if code in wanted])


@blueprint.patch(_PERMISSIONS)
def change() -> Response:
    account = calling_account()
    items = [_item(text) for text in request.form.getlist("Permissions")]
    if not items:
        raise TwilioError(20001, "Permissions")
    results = [_result(code, enabled=enabled) for code, enabled in items]
    applied = {
        code: enabled
        for (code, enabled), result in zip(items, results, strict=True)
        if result["error_code"] == 0
    }
    current_emulator().accounts.change(account.sid, lambda now: now.with_regions(applied))
    return jsonify(permissions=results)


def _entry(account: Account, code: str) -> dict[str, object]:
    return {
        "country_code": code,
        "type": "country",
        "enabled": account.can_reach(code),
        "prefix": calling_prefix(code),
        "message": "High Risk Country" if code in HIGH_RISK else "",
    }


def _item(text: str) -> tuple[str, bool]:
    try:
        item = json.loads(text)
        code, enabled = item["country_code"], item["enabled"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise TwilioError(20001, "Permissions") from error
    if not isinstance(code, str) or not isinstance(enabled, bool):
        raise TwilioError(20001, "Permissions")
    return code, enabled


def _result(code: str, *, enabled: bool) -> dict[str, object]:
    problem = _problem(code)
    return {
        "country_code": code,
        "type": "country",
        "enabled": enabled,
        "error_code": _ITEM_ERROR if problem else 0,
        "error_messages": [problem] if problem else [],
    }


def _problem(code: str) -> str | None:
    if code in HIGH_RISK:
        return "High risk country permission cannot be updated"
    if code in UNSUPPORTED or code not in REGIONS:
        return "Country is not supported"
    return None


@blueprint.get(f"{_PRICES}/<region>")
def read_prices(region: str) -> Response:
    calling_account()
    code = region.upper()
    if code not in REGIONS:
        raise TwilioError(20404)
    mcc = str(200 + REGIONS.index(code))
    return jsonify(
        country=code,
        iso_country=code,
        outbound_sms_prices=[
            _network("First", mcc, "01", price_of_segment(code)),
            _network("Second", mcc, "02", price_on_second_network(code)),
        ],
        inbound_sms_prices=[],
        price_unit=CURRENCY,
        url=f"{_HOST}{_PRICES}/{code}",
    )


def _network(carrier: str, mcc: str, mnc: str, price: Decimal) -> dict[str, object]:
    """The prices of one network; a short code's is a little lower."""
    kinds = (("local", price), ("mobile", price), ("shortcode", price * Decimal("0.9")))
    return {
        "carrier": carrier,
        "mcc": mcc,
        "mnc": mnc,
        "prices": [
            {"number_type": kind, "base_price": str(amount), "current_price": str(amount)}
            for kind, amount in kinds
        ],
    }
