"""Reading brands and campaigns: the call, its account, and what cannot be read."""

import json

import pytest
from twilio.http.response import Response

from app.db.encryption import Cipher
from app.providers.port import ProviderAccount
from app.providers.twilio.account import TwilioRegistrations
from app.providers.twilio.client import TwilioClients
from support.factories import ACCOUNT, AUTH_TOKEN, SERVICE_SID
from support.fake_twilio import FakeTwilio

BRAND, CAMPAIGN = "BN" + "d" * 32, "QE" + "e" * 32


@pytest.fixture
def registrations(twilio: FakeTwilio, cipher: Cipher) -> TwilioRegistrations:
    """The adapter over it."""
    return TwilioRegistrations(TwilioClients(twilio, cipher))


def _campaigns(*pairs: tuple[str, str]) -> Response:
    listed = [{"sid": sid, "campaign_status": status} for sid, status in pairs]
    meta = {"key": "compliance", "next_page_url": None}
    return Response(200, json.dumps({"compliance": listed, "meta": meta}))


def test_a_brand_is_asked_with_its_own_accounts_credentials(
    registrations: TwilioRegistrations, twilio: FakeTwilio, account: ProviderAccount
) -> None:
    twilio.script.append(Response(200, json.dumps({"sid": BRAND, "status": "SUSPENDED"})))
    assert registrations.brand_status(account, BRAND) == "SUSPENDED"
    (call,) = twilio.calls
    assert call.uri == f"https://messaging.twilio.com/v1/a2p/BrandRegistrations/{BRAND}"
    assert (call.method.upper(), call.auth) == ("GET", (ACCOUNT, AUTH_TOKEN))


def test_a_campaign_is_found_by_its_sid_among_those_of_the_service(
    registrations: TwilioRegistrations, twilio: FakeTwilio, account: ProviderAccount
) -> None:
    twilio.script.append(_campaigns(("QE" + "0" * 32, "FAILED"), (CAMPAIGN, "VERIFIED")))
    assert registrations.campaign_status(account, SERVICE_SID, CAMPAIGN) == "VERIFIED"
    assert f"/v1/Services/{SERVICE_SID}/Compliance/Usa2p" in twilio.calls[0].uri
