"""Twilio as a provider: every port over one transport."""

from twilio.http import HttpClient

from app.db.encryption import Cipher
from app.providers.port import Provider
from app.providers.twilio.account import TwilioProof, TwilioRegistrations, TwilioSetup
from app.providers.twilio.client import TwilioClients, TwilioProvider
from app.providers.twilio.codes import ERROR_CODES
from app.providers.twilio.geo import TwilioGeoPermissions
from app.providers.twilio.messages import TwilioMessages
from app.providers.twilio.prices import TwilioPrices


def open_twilio(transport: HttpClient, cipher: Cipher, public_url: str) -> Provider:
    """Return the adapters; they connect at first use. Twilio calls back on ``public_url``."""
    clients = TwilioClients(transport, cipher)
    return Provider(
        codes=ERROR_CODES,
        sms=TwilioProvider(clients, public_url),
        messages=TwilioMessages(clients),
        geo=TwilioGeoPermissions(clients),
        registrations=TwilioRegistrations(clients),
        prices=TwilioPrices(clients),
        prover=TwilioProof(transport),
        setup=TwilioSetup(clients, public_url),
    )
