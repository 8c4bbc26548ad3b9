"""Decides what Twilio posts when somebody writes to one of the account's numbers.

Source: Twilio's page on the messaging webhook. It must not know how the webhook travels.
"""

import secrets
from collections.abc import Mapping

from app.emulator.geo_table import region_of
from app.emulator.records import API_VERSION, Status
from app.emulator.segments import count_segments


def inbound_params(order: Mapping[str, str]) -> dict[str, str]:
    """The form of an inbound message, from the fields that the control API takes."""
    sid = f"SM{secrets.token_hex(16)}"
    params = {
        "MessageSid": sid,
        "SmsSid": sid,
        "SmsMessageSid": sid,
        "AccountSid": order["account_sid"],
        "From": order["from"],
        "FromCountry": region_of(order["from"]) or "",
        "To": order["to"],
        "Body": order["body"],
        "NumMedia": "0",
        "NumSegments": str(count_segments(order["body"])),
        "SmsStatus": Status.RECEIVED.value,
        "ApiVersion": API_VERSION,
    }
    if "messaging_service_sid" in order:
        params["MessagingServiceSid"] = order["messaging_service_sid"]
    if "opt_out_type" in order:
        params["OptOutType"] = order["opt_out_type"]
    return params
