"""The reason why Twilio could not be asked, in words that hold nothing of its answer."""

from dataclasses import dataclass

from twilio.base.exceptions import TwilioException

from app.db.encryption import DecryptionError
from app.providers.port import RefusalKind
from app.providers.twilio.codes import refusal_kind
from app.providers.twilio.transport import NotConfirmed, NotConnected, Throttled

_UNAUTHORIZED = (401, 403)


@dataclass(frozen=True, slots=True)
class WhyUnknown:
    """Why nothing is known; ``is_misconfigured``: it stays so until somebody acts."""

    text: str
    is_misconfigured: bool = False


def why_unknown(problem: Exception) -> WhyUnknown:
    """Name the reason of a call that failed, or of an answer that cannot be read."""
    match problem:
        case NotConnected():
            return WhyUnknown("Twilio cannot be reached")
        case NotConfirmed():
            return WhyUnknown("Twilio did not answer")
        case Throttled():
            return WhyUnknown("Twilio answered 429: too many requests at once")
        case DecryptionError():
            return WhyUnknown("the stored auth token cannot be decrypted", is_misconfigured=True)
        case TwilioException():
            return _refused(getattr(problem, "status", None), getattr(problem, "code", None))
        case _:
            return WhyUnknown("Twilio's answer cannot be read")


def _refused(status: object, code: object) -> WhyUnknown:
    is_misconfigured = status in _UNAUTHORIZED or (
        isinstance(code, int) and refusal_kind(code) is RefusalKind.PROVIDER_MISCONFIGURED
    )
    said = code if isinstance(code, int) else "with an error"
    return WhyUnknown(f"Twilio answered {said}", is_misconfigured=is_misconfigured)
