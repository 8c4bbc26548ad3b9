"""The reason why Twilio could not be asked, in words that hold nothing of its answer."""

from twilio.base.exceptions import TwilioException

from app.db.encryption import DecryptionError
from app.providers.port import AccountRefused, ProviderUnknown, RefusalKind
from app.providers.twilio.codes import refusal_kind
from app.providers.twilio.transport import NotConfirmed, NotConnected, Throttled

_UNAUTHORIZED = (401, 403)
UNREADABLE_ANSWER = (
    NotConnected,
    NotConfirmed,
    Throttled,
    TwilioException,
    DecryptionError,
    # The SDK stumbles over JSON of another shape than Twilio's.
    AttributeError,
    TypeError,
    LookupError,
    ValueError,
    ArithmeticError,
    RecursionError,
)


def unknown(problem: Exception) -> ProviderUnknown:
    """Name the reason of a call that failed, or of an answer that cannot be read."""
    match problem:
        case NotConnected():
            return ProviderUnknown("Twilio cannot be reached")
        case NotConfirmed():
            return ProviderUnknown("Twilio did not answer")
        case Throttled():
            return ProviderUnknown("Twilio answered 429: too many requests at once")
        case DecryptionError():
            return AccountRefused("the stored auth token cannot be decrypted")
        case TwilioException():
            return _refused(getattr(problem, "status", None), getattr(problem, "code", None))
        case _:
            return ProviderUnknown("Twilio's answer cannot be read")


def _refused(status: object, code: object) -> ProviderUnknown:
    said = code if isinstance(code, int) else None
    why = "Twilio answered with an error" if said is None else f"Twilio answered {said}"
    if status in _UNAUTHORIZED or (
        said is not None and refusal_kind(said) is RefusalKind.PROVIDER_MISCONFIGURED
    ):
        return AccountRefused(why, said)
    return ProviderUnknown(why)
