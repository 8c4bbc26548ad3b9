"""A2P brands and campaigns: any SID exists, with the statuses of the account."""

from flask import Blueprint, Response, jsonify

from app.emulator.accounts import Account
from app.emulator.caller import calling_account
from app.emulator.twilio_api.resources import HOST, MADE_AT, derived_sid, page_meta, require_sid

blueprint = Blueprint("compliance", __name__)


@blueprint.get("/v1/a2p/BrandRegistrations/<sid>")
def fetch_brand(sid: str) -> Response:
    account = calling_account()
    url = f"{HOST}/v1/a2p/BrandRegistrations/{require_sid('BN', sid)}"
    return jsonify(
        sid=sid,
        account_sid=account.sid,
        customer_profile_bundle_sid=derived_sid("BU", f"customer {account.sid}"),
        a2p_profile_bundle_sid=derived_sid("BU", f"a2p {account.sid}"),
        date_created=MADE_AT,
        date_updated=MADE_AT,
        brand_type="STANDARD",
        status=account.brand_status.value,
        tcr_id="BEMULAT",
        failure_reason=None,
        url=url,
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
    sid = derived_sid("QE", service_sid)
    return {
        "sid": sid,
        "account_sid": account.sid,
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
        "date_created": MADE_AT,
        "date_updated": MADE_AT,
        "url": f"{url}/{sid}",
        "mock": False,
        "errors": [],
    }
