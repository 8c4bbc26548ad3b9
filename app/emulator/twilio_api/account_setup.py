"""The Account without its auth token, and A2P brands, campaigns and Messaging Services.

Any SID of these exists: a service has one fictitious long code, and brand and campaign have the
statuses of the account.
"""

import hashlib
import re
from typing import Final

from flask import Blueprint, Response, jsonify

from app.emulator.accounts import Account
from app.emulator.callbacks.sender import chosen_sender
from app.emulator.emulator import calling_account
from app.emulator.errors import TwilioError

blueprint = Blueprint("account_setup", __name__)
HOST: Final = "https://messaging.twilio.com"
_MADE_AT: Final = "2024-01-01T00:00:00Z"
_MADE_AT_RFC_2822 = "Mon, 01 Jan 2024 00:00:00 +0000"


def require_sid(prefix: str, sid: str) -> str:
    """Returns the SID; raises `TwilioError` 20404 if it is malformed."""
    if not re.fullmatch(rf"{prefix}[0-9a-fA-F]{{32}}", sid):
        raise TwilioError(20404)
    return sid


def derived_sid(prefix: str, origin: str) -> str:
    return prefix + hashlib.sha256(f"{prefix}/{origin}".encode()).hexdigest()[:32]


def page_meta(key: str, url: str) -> dict[str, object]:
    first = f"{url}?PageSize=50&Page=0"
    return {
        "page": 0,
        "page_size": 50,
        "first_page_url": first,
        "previous_page_url": None,
        "next_page_url": None,
        "url": first,
        "key": key,
    }


def _common(account: Account, sid: str, url: str) -> dict[str, str]:
    of_it = {"sid": sid, "account_sid": account.sid, "url": url}
    return of_it | {"date_created": _MADE_AT, "date_updated": _MADE_AT}


@blueprint.get("/2010-04-01/Accounts/<account_sid>.json")
def fetch_account(account_sid: str) -> Response:
    account = calling_account(account_sid)
    uri = f"/2010-04-01/Accounts/{account.sid}"
    return jsonify(
        {
            "sid": account.sid,
            "owner_account_sid": account.sid,
            "friendly_name": "Emulated account",
            "status": "active",
            "type": "Full",
            "date_created": _MADE_AT_RFC_2822,
            "date_updated": _MADE_AT_RFC_2822,
            "uri": f"{uri}.json",
            "subresource_uris": {"messages": f"{uri}/Messages.json"},
        }
    )


@blueprint.get("/v1/a2p/BrandRegistrations/<sid>")
def fetch_brand(sid: str) -> Response:
    account = calling_account()
    url = f"{HOST}/v1/a2p/BrandRegistrations/{require_sid('BN', sid)}"
    return jsonify(
        **_common(account, sid, url),
        customer_profile_bundle_sid=derived_sid("BU", f"customer {account.sid}"),
        a2p_profile_bundle_sid=derived_sid("BU", f"a2p {account.sid}"),
        brand_type="STANDARD",
        status=account.brand_status.value,
        tcr_id="BEMULAT",
        failure_reason=None,
        brand_score=42,
        brand_feedback=[],
        identity_status="VERIFIED",
        russell_3000=False,
        government_entity=False,
        tax_exempt_status=None,
        skip_automatic_sec_vet=False,
        mock=False,
        errors=[],
        links={"brand_vettings": f"{url}/Vettings", "brand_registration_otps": f"{url}/SmsOtp"},
    )


@blueprint.get("/v1/Services/<service_sid>/Compliance/Usa2p")
def list_campaigns(service_sid: str) -> Response:
    account = calling_account()
    url = f"{HOST}/v1/Services/{require_sid('MG', service_sid)}/Compliance/Usa2p"
    campaigns = [] if account.campaign_status is None else [_campaign(account, service_sid, url)]
    return jsonify(compliance=campaigns, meta=page_meta("compliance", url))


def _campaign(account: Account, service_sid: str, url: str) -> dict[str, object]:
    sid = service_sid.replace("MG", "QE")
    return {
        **_common(account, sid, f"{url}/{sid}"),
        "brand_registration_sid": derived_sid("BN", account.sid),
        "messaging_service_sid": service_sid,
        "description": "Messages of an emulated campaign.",
        "message_samples": ["Your code is 123456", "Your order is on its way"],
        "us_app_to_person_usecase": "2FA",
        "has_embedded_links": False,
        "has_embedded_phone": False,
        "subscriber_opt_in": True,
        "age_gated": False,
        "direct_lending": False,
        "campaign_status": account.campaign_status,
        "campaign_id": "CEMULAT",
        "is_externally_registered": False,
        "rate_limits": {"att": {"mps": 600, "msg_class": "A"}, "tmobile": {"brand_tier": "TOP"}},
        "message_flow": "Recipients opt in on the emulated website.",
        "opt_in_message": None,
        "opt_out_message": None,
        "help_message": None,
        "opt_in_keywords": ["START"],
        "opt_out_keywords": ["STOP"],
        "help_keywords": ["HELP"],
        "mock": False,
        "errors": [],
    }


@blueprint.get("/v1/Services/<sid>")
def fetch_service(sid: str) -> Response:
    account = calling_account()
    url = f"{HOST}/v1/Services/{require_sid('MG', sid)}"
    return jsonify(
        **_common(account, sid, url),
        friendly_name="Emulated Messaging Service",
        inbound_request_url=None,
        inbound_method="POST",
        fallback_url=None,
        fallback_method="POST",
        status_callback=None,
        sticky_sender=True,
        mms_converter=True,
        smart_encoding=True,
        scan_message_content="inherit",
        fallback_to_long_code=True,
        area_code_geomatch=True,
        synchronous_validation=False,
        validity_period=36_000,
        usecase="notifications",
        us_app_to_person_registered=account.campaign_status == "VERIFIED",
        use_inbound_webhook_on_number=False,
        links={
            "phone_numbers": f"{url}/PhoneNumbers",
            "short_codes": f"{url}/ShortCodes",
            "alpha_senders": f"{url}/AlphaSenders",
            "messages": f"{url}/Messages",
            "us_app_to_person": f"{url}/Compliance/Usa2p",
            "us_app_to_person_usecases": f"{url}/Compliance/Usa2p/Usecases",
            "channel_senders": f"{url}/ChannelSenders",
            "destination_alpha_senders": f"{url}/DestinationAlphaSenders",
        },
    )


@blueprint.get("/v1/Services/<service_sid>/PhoneNumbers")
def list_pool(service_sid: str) -> Response:
    account = calling_account()
    url = f"{HOST}/v1/Services/{require_sid('MG', service_sid)}/PhoneNumbers"
    sid = derived_sid("PN", service_sid)
    number = {
        **_common(account, sid, f"{url}/{sid}"),
        "service_sid": service_sid,
        "phone_number": chosen_sender(service_sid),
        "country_code": "US",
        "capabilities": ["Voice", "SMS"],
    }
    return jsonify(phone_numbers=[number], meta=page_meta("phone_numbers", url))
