"""The preconditions of a use case, in the order of the checks. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from app.kernel.errors import (
    BrandSuspended,
    CampaignNotVerified,
    NoSenderNumber,
    PublicError,
    UseCaseInactive,
)


class SenderType(StrEnum):
    LONG_CODE = "long_code"
    TOLL_FREE = "toll_free"
    SHORT_CODE = "short_code"
    ALPHANUMERIC = "alphanumeric"


@dataclass(frozen=True, slots=True)
class Standing:
    """The state behind the preconditions; statuses as in Twilio."""

    active: bool
    brand_status: str | None
    campaign_status: str | None
    has_sender: bool
    has_us_long_code: bool


# Source: Twilio's BrandRegistrations and Usa2p resources. A brand's statuses are a closed set;
# a campaign's is any text, and only this one permits its use.
SUSPENDED = "SUSPENDED"
BRAND_STATUSES = (
    "PENDING",
    "APPROVED",
    "FAILED",
    "IN_REVIEW",
    "DELETION_PENDING",
    "DELETION_FAILED",
    SUSPENDED,
)
VERIFIED = "VERIFIED"


def check_eligibility(standing: Standing) -> None:
    """Raise the first of the `obstacles`."""
    for obstacle in obstacles(standing):
        raise obstacle


def obstacles(standing: Standing) -> Iterator[type[PublicError]]:
    """Yield every obstacle, in the order of the checks."""
    if not standing.active:
        yield UseCaseInactive
    if standing.brand_status == SUSPENDED:
        yield BrandSuspended
    if not standing.has_sender:
        yield NoSenderNumber
    if standing.has_us_long_code and standing.campaign_status != VERIFIED:
        yield CampaignNotVerified
