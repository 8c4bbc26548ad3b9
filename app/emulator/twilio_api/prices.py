"""Prices of outbound messages by country (Twilio, Messaging Country Pricing resource)."""

from decimal import Decimal
from typing import Final

from flask import Blueprint, Response, jsonify

from app.emulator.emulator import calling_account
from app.emulator.errors import TwilioError
from app.emulator.regions import CURRENCY, REGIONS, price_of_segment, price_on_second_network

blueprint = Blueprint("prices", __name__)
_HOST: Final = "https://pricing.twilio.com"
_PATH: Final = "/v1/Messaging/Countries"


@blueprint.get(f"{_PATH}/<region>")
def read(region: str) -> Response:
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
        url=f"{_HOST}{_PATH}/{code}",
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
