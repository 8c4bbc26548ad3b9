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
from app.use_cases.read import StoredUseCase


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One obstacle: name and remedy."""

    label: str
    advice: str


OBSTACLES: dict[type[PublicError], Obstacle] = {
    UseCaseInactive: Obstacle("off", "The use case is off. Turn it on under Settings."),
    BrandSuspended: Obstacle(
        "brand suspended",
        "Twilio has suspended the brand. Resolve this with Twilio, then refresh the brand.",
    ),
    NoSenderNumber: Obstacle(
        "no sender",
        "There is no sender. Add one that is also in the Messaging Service at Twilio.",
    ),
    CampaignNotVerified: Obstacle(
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


def obstacles_of(record: StoredUseCase) -> list[Obstacle]:
    """Return every obstacle of a use case, in the order of the checks."""
    return [OBSTACLES[obstacle] for obstacle in obstacles(record.standing)]
