"""May a use case send at all: every state of it, in the order of the checks."""

from itertools import product

import pytest

from app.kernel.errors import (
    BrandSuspended,
    CampaignNotVerified,
    NoSenderNumber,
    PublicError,
    UseCaseInactive,
)
from app.use_cases.rules import Eligibility, check_eligibility, obstacles

BRANDS = [
    None,
    *("PENDING", "APPROVED", "FAILED", "IN_REVIEW", "DELETION_PENDING", "DELETION_FAILED"),
    "SUSPENDED",
]
CAMPAIGNS = [None, "PENDING", "IN_PROGRESS", "VERIFIED", "FAILED", "SUSPENDED", "verified", ""]


def _first(eligibility: Eligibility) -> type[PublicError] | None:
    if not eligibility.active:
        return UseCaseInactive
    if eligibility.brand_status == "SUSPENDED":
        return BrandSuspended
    if not eligibility.has_sender:
        return NoSenderNumber
    needs_campaign = eligibility.has_us_long_code
    return (
        CampaignNotVerified
        if needs_campaign and eligibility.campaign_status != "VERIFIED"
        else None
    )


def test_every_state_of_a_use_case_has_its_answer() -> None:
    seen = set()
    states = product([True, False], BRANDS, CAMPAIGNS, [True, False], [True, False])
    for active, brand, campaign, has_sender, has_us_long_code in states:
        eligibility = Eligibility(
            active=active,
            brand_status=brand,
            campaign_status=campaign,
            has_sender=has_sender,
            has_us_long_code=has_us_long_code,
        )
        expected = _first(eligibility)
        seen.add(expected)
        if expected is None:
            check_eligibility(eligibility)
        else:
            with pytest.raises(expected):
                check_eligibility(eligibility)
    assert len(seen) == 5


def test_every_obstacle_is_reported_in_the_order_of_the_checks() -> None:
    eligibility = Eligibility(
        active=False,
        brand_status="SUSPENDED",
        campaign_status=None,
        has_sender=True,
        has_us_long_code=True,
    )
    assert list(obstacles(eligibility)) == [UseCaseInactive, BrandSuspended, CampaignNotVerified]
