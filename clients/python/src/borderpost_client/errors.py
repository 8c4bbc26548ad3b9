"""Errors, named as the codes of the API."""

from collections.abc import Mapping
from typing import Any


class BorderpostError(Exception):
    """The base of every error of this client."""


class NoAnswer(BorderpostError):
    """No answer came. ``may_have_arrived`` is False if the request certainly did not arrive."""

    def __init__(self, why: str, *, may_have_arrived: bool) -> None:
        super().__init__(why)
        self.may_have_arrived = may_have_arrived


class StillUnderway(BorderpostError):
    """The message has not ended within the time that was waited."""

    def __init__(self, message_id: str, status: str) -> None:
        super().__init__(f"message {message_id} is still {status}")
        self.message_id = message_id
        self.status = status


class ApiError(BorderpostError):
    """An error that the API answered. Decide by ``code``; ``message`` is for people.

    ``retry_after`` is the seconds after which a repetition may succeed.
    """

    def __init__(
        self,
        *,
        status: int,
        code: str,
        message: str,
        details: Mapping[str, Any],
        request_id: str | None,
        retry_after: float | None,
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.request_id = request_id
        self.retry_after = retry_after


class Unauthorized(ApiError):
    """No key, or a wrong, expired or revoked one."""


class Forbidden(ApiError):
    """The key's role does not permit this."""


class WorkspaceSuspended(ApiError):
    """An owner suspended the workspace."""


class NotFound(ApiError):
    """It does not exist, or belongs to another tenant."""


class RevisionMismatch(ApiError):
    """``if_match`` is not the current revision, which is in ``details``."""


class ValidationFailed(ApiError):
    """The request is wrong; ``details`` maps JSON paths to lists of problems."""


class IdempotencyKeyReused(ApiError):
    """The idempotency key came with another body before."""


class UseCaseNotReady(ApiError):
    """The use case cannot send; ``code`` says why."""


class InvalidDestination(ApiError):
    """Not a real number, not in canonical form, or of a kind that cannot receive SMS."""


class DestinationBlocked(ApiError):
    """The destination policy or Twilio blocks the destination; ``details`` names the rule."""


class RecipientOptedOut(ApiError):
    """The recipient does not want messages."""


class GuardTripped(ApiError):
    """A limit refused the message; ``details`` names the guard and when there is room again."""


class MessageRejected(ApiError):
    """Twilio refused the message; ``details`` has its code."""


class RateLimited(ApiError):
    """Too many requests; never processed."""


class ProviderUnavailable(ApiError):
    """Twilio could not be reached; never processed."""


class ServiceUnavailable(ApiError):
    """The gateway's database cannot be reached; never processed."""


class ProviderMisconfigured(ApiError):
    """The gateway's credentials or Messaging Service are wrong; its owner must act."""


class Unconfirmed(ApiError):
    """Twilio may have the message. Follow ``message_id``; a send with a new key may be a second."""

    @property
    def message_id(self) -> str:
        """The id of the message, for `Borderpost.wait` and `Borderpost.message`."""
        return str(self.details["id"])


_OF_CODES: dict[str, type[ApiError]] = {
    "Unauthorized": Unauthorized,
    "Forbidden": Forbidden,
    "WorkspaceSuspended": WorkspaceSuspended,
    "NotFound": NotFound,
    "UseCaseNotFound": NotFound,
    "RevisionMismatch": RevisionMismatch,
    "ValidationFailed": ValidationFailed,
    "IdempotencyKeyReused": IdempotencyKeyReused,
    "UseCaseInactive": UseCaseNotReady,
    "NoSenderNumber": UseCaseNotReady,
    "CampaignNotVerified": UseCaseNotReady,
    "BrandSuspended": UseCaseNotReady,
    "InvalidDestination": InvalidDestination,
    "DestinationBlocked": DestinationBlocked,
    "RecipientOptedOut": RecipientOptedOut,
    "GuardTripped": GuardTripped,
    "MessageRejected": MessageRejected,
    "RateLimited": RateLimited,
    "ProviderUnavailable": ProviderUnavailable,
    "ServiceUnavailable": ServiceUnavailable,
    "ProviderMisconfigured": ProviderMisconfigured,
    "SubmissionUnconfirmed": Unconfirmed,
}


def error_of(status: int, body: Any, headers: Mapping[str, str]) -> ApiError:
    """Return the error of an answer; one without the API's form gets the code ``HTTP <status>``."""
    found = body if isinstance(body, dict) else {}
    code = str(found.get("code") or f"HTTP {status}")
    details = found.get("details")
    kind = _OF_CODES.get(code, ApiError)
    return kind(
        status=status,
        code=code,
        message=str(found.get("message") or _of_another(headers.get("Location"))),
        details=details if isinstance(details, dict) else {},
        request_id=headers.get("X-Request-Id"),
        retry_after=_seconds(headers.get("Retry-After")),
    )


def _of_another(location: str | None) -> str:
    """Name the address of a redirect, but not its query, which may hold a phone number."""
    if location is None:
        return "the answer is not one of Borderpost: check base_url"
    return f"redirected to {location.partition('?')[0]}: correct base_url"


def _seconds(text: str | None) -> float | None:
    try:
        return None if text is None else max(0.0, float(text))
    except ValueError:
        return None
