"""May this use case send at all? Seed 004's preconditions, in the order of SPEC section 5: pure."""

from dataclasses import dataclass
from enum import StrEnum

from app.kernel.errors import (
    BrandSuspended,
    CampaignNotVerified,
    NoSenderNumber,
    UseCaseInactive,
)


class SenderType(StrEnum):
    """Kinds of senders in a pool."""

    LONG_CODE = "long_code"
    TOLL_FREE = "toll_free"
    SHORT_CODE = "short_code"
    ALPHANUMERIC = "alphanumeric"


@dataclass(frozen=True, slots=True)
class Standing:
    """What decides whether a use case may send; statuses are in Twilio's words."""

    active: bool
    brand_status: str | None
    campaign_status: str | None
    has_sender: bool
    has_us_long_code: bool


# Source: Twilio's BrandRegistrations and Usa2p resources. A brand's statuses are a closed set,
# a campaign's is a free text: only this one means that it may be used.
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
    """Let a use case send, or say what is missing.

    Raises:
        UseCaseInactive, BrandSuspended, NoSenderNumber, CampaignNotVerified: the first that holds.
    """
    if not standing.active:
        raise UseCaseInactive
    if standing.brand_status == SUSPENDED:
        raise BrandSuspended
    if not standing.has_sender:
        raise NoSenderNumber
    if standing.has_us_long_code and standing.campaign_status != VERIFIED:
        raise CampaignNotVerified
