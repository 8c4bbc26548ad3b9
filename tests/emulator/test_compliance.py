"""Brands, campaigns and Messaging Services through the SDK."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from app.emulator.accounts import BrandStatus

ACCOUNT = "AC" + "1" * 32
SERVICE = "MG" + "2" * 32
BRAND = "BN" + "3" * 32


def _service(client: Client) -> Any:
    return client.messaging.v1.services(SERVICE)


def test_brand_and_campaign_are_in_order_by_default(client: Client) -> None:
    brand = client.messaging.v1.brand_registrations(BRAND).fetch()
    (campaign,) = _service(client).us_app_to_person.list()

    assert (brand.sid, brand.status, brand.identity_status) == (BRAND, "APPROVED", "VERIFIED")
    assert (campaign.messaging_service_sid, campaign.campaign_status) == (SERVICE, "VERIFIED")
    assert _service(client).fetch().us_app_to_person_registered is True


def test_their_statuses_are_the_accounts(twilio: Any) -> None:
    twilio.emulator.accounts.change(
        ACCOUNT,
        lambda now: replace(now, brand_status=BrandStatus.SUSPENDED, campaign_status="FAILED"),
    )

    assert twilio.client.messaging.v1.brand_registrations(BRAND).fetch().status == "SUSPENDED"
    assert _service(twilio.client).us_app_to_person.list()[0].campaign_status == "FAILED"
    assert _service(twilio.client).fetch().us_app_to_person_registered is False


def test_an_account_may_have_no_campaign(twilio: Any) -> None:
    twilio.emulator.accounts.change(ACCOUNT, lambda now: replace(now, campaign_status=None))

    assert _service(twilio.client).us_app_to_person.list() == []


def test_a_service_and_its_pool_can_be_read(client: Client) -> None:
    service = _service(client).fetch()
    (number,) = _service(client).phone_numbers.list()

    assert (service.sid, service.account_sid) == (SERVICE, ACCOUNT)
    assert (number.service_sid, number.country_code) == (SERVICE, "US")
    assert number.phone_number.startswith("+120255501")


@pytest.mark.parametrize(
    "fetch",
    [
        lambda messaging: messaging.brand_registrations("BN1").fetch(),
        lambda messaging: messaging.services("MG1").fetch(),
        lambda messaging: messaging.services(BRAND).fetch(),
    ],
)
def test_a_malformed_sid_does_not_exist(client: Client, fetch: Callable[[Any], object]) -> None:
    with pytest.raises(TwilioRestException) as absent:
        fetch(client.messaging.v1)

    assert (absent.value.status, absent.value.code) == (404, 20404)
