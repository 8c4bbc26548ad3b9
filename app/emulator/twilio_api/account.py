"""The Account resource, without its auth token."""

from flask import Blueprint, Response, jsonify

from app.emulator.caller import calling_account

blueprint = Blueprint("account", __name__)
_MADE_AT = "Mon, 01 Jan 2024 00:00:00 +0000"


@blueprint.get("/2010-04-01/Accounts/<account_sid>.json")
def fetch(account_sid: str) -> Response:
    account = calling_account(account_sid)
    uri = f"/2010-04-01/Accounts/{account.sid}"
    return jsonify(
        {
            "sid": account.sid,
            "owner_account_sid": account.sid,
            "friendly_name": "Emulated account",
            "status": "active",
            "type": "Full",
            "date_created": _MADE_AT,
            "date_updated": _MADE_AT,
            "uri": f"{uri}.json",
            "subresource_uris": {"messages": f"{uri}/Messages.json"},
        }
    )
