"""Reasons why Twilio could not be asked, without its answer."""

from twilio.base.exceptions import TwilioException
from twilio.http.response import Response

from app.db.encryption import DecryptionError
from app.providers.port import AccountRefused, ProviderUnknown, RefusalKind
from app.providers.twilio.client import read_json
from app.providers.twilio.codes import SMALLEST_CODE, read_code, refusal_kind
from app.providers.twilio.transport import NotConfirmed, NotConnected, Throttled

_UNAUTHORIZED = (401, 403)
UNREADABLE_ANSWER = (
    NotConnected,
    NotConfirmed,
    Throttled,
    TwilioException,
    DecryptionError,
    # The SDK raises these for JSON of another shape than Twilio's.
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
            return _refused(*said_by(problem))
        case _:
            return ProviderUnknown("Twilio's answer cannot be read")


def said_by(problem: Exception) -> tuple[object, object]:
    """Return the HTTP status and Twilio's code of an error answer; None for what it lacks."""
    # Where a page of a list is refused, the SDK's exception holds the answer alone.
    for answer in problem.args:
        if isinstance(answer, Response):
            found = read_json(answer)
            code = read_code(found.get("code")) if isinstance(found, dict) else None
            is_code = code is not None and code >= SMALLEST_CODE
            return answer.status_code, code if is_code else None
    return getattr(problem, "status", None), getattr(problem, "code", None)


def _refused(status: object, code: object) -> ProviderUnknown:
    reason = next((one for one in (code, status) if isinstance(one, int)), None)
    why = "Twilio answered with an error" if reason is None else f"Twilio answered {reason}"
    if status in _UNAUTHORIZED or (
        isinstance(code, int) and refusal_kind(code) is RefusalKind.PROVIDER_MISCONFIGURED
    ):
        return AccountRefused(why, code if isinstance(code, int) else None)
    return ProviderUnknown(why)
