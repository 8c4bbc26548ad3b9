"""Twilio's prices of outbound messages.

Source: Twilio, Messaging Country Pricing resource: one price per network (mcc, mnc) and type of
sender, as number or text.
"""

from decimal import Decimal, InvalidOperation
from typing import Any

from twilio.rest import Client

from app.providers.port import CountryPrices, NetworkPrice, ProviderAccount, ProviderUnknown
from app.providers.twilio.client import TwilioClients

_NOT_FOUND = 404
_CURRENCY_LENGTH = 3
_NETWORK_LENGTHS = (5, 6)
_SMALLEST = Decimal("0.000001")
_TOO_HIGH = Decimal(10**9)


class TwilioPrices:
    def __init__(self, clients: TwilioClients) -> None:
        self._clients = clients

    def fetch(self, account: ProviderAccount, country: str) -> CountryPrices | None:
        def call(client: Client) -> Any:
            return client.pricing.v1.messaging.countries(country).fetch()

        found = self._clients.ask(account, call, _NOT_FOUND)
        if found is None:
            return None
        unit, networks = found.price_unit, found.outbound_sms_prices
        if not isinstance(unit, str) or len(unit) != _CURRENCY_LENGTH:
            raise ProviderUnknown("Twilio's answer names no currency")
        if not isinstance(networks, list):
            raise ProviderUnknown("Twilio's answer holds no list of prices")
        read = [_read(network) for network in networks if isinstance(network, dict)]
        return CountryPrices(unit.upper(), [one for one in read if one is not None])


def _read(network: dict[str, Any]) -> NetworkPrice | None:
    given = network.get("prices")
    prices = [_price(one) for one in given if isinstance(one, dict)] if given else []
    known = [price for price in prices if price is not None]
    return NetworkPrice(_code(network), max(known)) if known else None


def _price(entry: dict[str, Any]) -> Decimal | None:
    given = entry.get("current_price")
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        return None
    try:
        price = Decimal(str(given))
    except InvalidOperation:
        return None
    if not price.is_finite() or not 0 <= price < _TOO_HIGH:
        return None
    # Rounded to the stored precision.
    return price if price == price.quantize(_SMALLEST) else price.quantize(_SMALLEST)


def _code(network: dict[str, Any]) -> str:
    mcc, mnc = (str(network.get(name) or "") for name in ("mcc", "mnc"))
    code = mcc + mnc
    is_code = mcc and mnc and code.isascii() and code.isdecimal()
    return code if is_code and len(code) in _NETWORK_LENGTHS else ""
