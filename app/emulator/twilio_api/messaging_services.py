"""Messaging Services: any SID exists, with one fictitious long code."""

from flask import Blueprint, Response, jsonify

from app.emulator.callbacks.lifecycle import chosen_sender
from app.emulator.caller import calling_account
from app.emulator.twilio_api.resources import HOST, MADE_AT, derived_sid, page_meta, require_sid

blueprint = Blueprint("messaging_services", __name__)


@blueprint.get("/v1/Services/<sid>")
def fetch(sid: str) -> Response:
    account = calling_account()
    url = f"{HOST}/v1/Services/{require_sid('MG', sid)}"
    return jsonify(
        sid=sid,
        account_sid=account.sid,
        friendly_name="Emulated Messaging Service",
        date_created=MADE_AT,
        date_updated=MADE_AT,
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
        url=url,
    )


@blueprint.get("/v1/Services/<service_sid>/PhoneNumbers")
def list_pool(service_sid: str) -> Response:
    account = calling_account()
    url = f"{HOST}/v1/Services/{require_sid('MG', service_sid)}/PhoneNumbers"
    sid = derived_sid("PN", service_sid)
    number = {
        "sid": sid,
        "account_sid": account.sid,
        "service_sid": service_sid,
        "date_created": MADE_AT,
        "date_updated": MADE_AT,
        "phone_number": chosen_sender(service_sid),
        "country_code": "US",
        "capabilities": ["Voice", "SMS"],
        "url": f"{url}/{sid}",
    }
    return jsonify(phone_numbers=[number], meta=page_meta("phone_numbers", url))
