"""May this use case send at all? Seed 004's preconditions, in the order of SPEC section 5: pure."""

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
    for obstacle in obstacles(standing):
        raise obstacle


def obstacles(standing: Standing) -> Iterator[type[PublicError]]:
    """Tell everything that stops a use case from sending, in the order of the checks."""
    if not standing.active:
        yield UseCaseInactive
    if standing.brand_status == SUSPENDED:
        yield BrandSuspended
    if not standing.has_sender:
        yield NoSenderNumber
    if standing.has_us_long_code and standing.campaign_status != VERIFIED:
        yield CampaignNotVerified
