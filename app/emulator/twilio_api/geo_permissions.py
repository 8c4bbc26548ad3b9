"""Twilio's messaging geo permissions."""

import json
from typing import Final

from flask import Blueprint, Response, jsonify, request

from app.emulator.accounts import Account
from app.emulator.emulator import calling_account, current_emulator
from app.emulator.errors import TwilioError
from app.emulator.regions import HIGH_RISK, REGIONS, UNSUPPORTED, calling_prefix

blueprint = Blueprint("geo", __name__)
_PATH: Final = "/v1/Messaging/GeoPermissions"
_ITEM_ERROR: Final = 30649


@blueprint.get(_PATH)
def read() -> Response:
    account = calling_account()
    asked = request.args.get("CountryCode", "")
    wanted = set(asked.split(",")) if asked else set(REGIONS)
    return jsonify(permissions=[_entry(account, code) for code in REGIONS if code in wanted])


@blueprint.patch(_PATH)
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
    except (ValueError, KeyError, TypeError) as error:
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
