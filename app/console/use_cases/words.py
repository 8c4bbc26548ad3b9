"""Labels of the obstacles of a use case, each with its remedy."""

from dataclasses import dataclass

from app.kernel.errors import (
    BrandSuspended,
    CampaignNotVerified,
    NoSenderNumber,
    PublicError,
    UseCaseInactive,
)
from app.use_cases.eligibility import SenderType, obstacles
from app.use_cases.read import UseCaseRecord


@dataclass(frozen=True, slots=True)
class Stop:
    """One obstacle: name and remedy."""

    label: str
    advice: str


STOPS: dict[type[PublicError], Stop] = {
    UseCaseInactive: Stop("off", "The use case is off. Turn it on under Settings."),
    BrandSuspended: Stop(
        "brand suspended",
        "Twilio has suspended the brand. Resolve this with Twilio, then refresh the brand.",
    ),
    NoSenderNumber: Stop(
        "no sender",
        "There is no sender. Add one that is also in the Messaging Service at Twilio.",
    ),
    CampaignNotVerified: Stop(
        "campaign not verified",
        "A US long code needs an A2P campaign that Twilio has verified. Set the campaign under "
        "Settings, or refresh it once Twilio has verified it.",
    ),
}
SENDER_TYPES = {
    SenderType.LONG_CODE: "long code",
    SenderType.TOLL_FREE: "toll-free number",
    SenderType.SHORT_CODE: "short code",
    SenderType.ALPHANUMERIC: "alphanumeric sender",
}


def stops_of(record: UseCaseRecord) -> list[Stop]:
    """Return every obstacle of a use case, in the order of the checks."""
    return [STOPS[obstacle] for obstacle in obstacles(record.standing)]
