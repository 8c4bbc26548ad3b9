"""The public errors: every ``code`` that a client can get.

``app.web.errors`` maps each to its status. Texts must never contain a body, a secret, or a phone
number other than the caller's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any, ClassVar, TypeVar
from uuid import UUID

# The upper limit of Retry-After, also if the provider asks for more.
_LONGEST_WAIT_SECONDS = 3600
T = TypeVar("T")


class PublicError(Exception):
    """An error for clients; the class name is its public ``code``."""

    message: ClassVar[str] = "The request could not be processed."
    retry_after_seconds: int | None = None

    def __init__(
        self, message: str | None = None, *, details: Mapping[str, Any] | None = None
    ) -> None:
        self.text = message or self.message
        self.details = dict(details) if details is not None else None
        super().__init__(self.text)

    @property
    def code(self) -> str:
        return type(self).__name__


class BadRequest(PublicError):
    """The request is malformed as a whole."""

    message = "The request is malformed."


class Unauthorized(PublicError):
    """The access key is missing, wrong, expired or revoked."""

    message = "A valid access key is required: Authorization: AccessKey <token>."
    scheme = "AccessKey"


class Forbidden(PublicError):
    """The role of the access key does not permit this."""

    message = "The role of this access key does not permit this."


class WorkspaceSuspended(PublicError):
    """The workspace is suspended: nothing is sent until it is resumed."""

    message = "The workspace is suspended and cannot send messages."


class NotFound(PublicError):
    """The object is absent, deleted, or another tenant's."""

    message = "There is no such resource."


class UseCaseNotFound(PublicError):
    """The use case is absent, deleted, or another tenant's."""

    message = "There is no such use case."


class MethodNotAllowed(PublicError):
    """The path exists, but not with this method."""

    message = "This method is not allowed here."


class PayloadTooLarge(PublicError):
    """The body is larger than 64 KiB."""

    message = "The request body is too large: 64 KiB at most."


class UnsupportedMediaType(PublicError):
    """The content type of the body is not supported here."""

    message = "The content type is not supported here."


class IdempotencyConflict(PublicError):
    """The first request with this idempotency key is still running."""

    message = "The first request with this Idempotency-Key is still being processed."
    retry_after_seconds = 1


class DestinationsInherited(PublicError):
    """The policy belongs to the parent workspace."""

    message = "The destinations of this workspace are inherited from its parent."


class RevisionMismatch(PublicError):
    """``If-Match`` is not the current revision."""

    message = "The destinations were changed since the revision in If-Match."


class ValidationFailed(PublicError):
    """Problems per field: ``details`` maps JSON paths to lists of messages."""

    message = "The request has invalid fields."

    def __init__(self, problems: Mapping[str, list[str]]) -> None:
        super().__init__(details=problems)


class UseCaseInactive(PublicError):
    """The use case exists and is switched off."""

    message = "The use case is not active."


class NoSenderNumber(PublicError):
    """The sender pool is empty, or cannot reach the destination."""

    message = "No phone number is assigned to the use case that can send this message."


class CampaignNotVerified(PublicError):
    """A US long code in the pool needs a verified A2P 10DLC campaign."""

    message = "A US long code needs a verified A2P 10DLC campaign."


class BrandSuspended(PublicError):
    """The brand registration behind the use case is suspended."""

    message = "The brand registration behind the use case is suspended."


class InvalidDestination(PublicError):
    """Not a real number, not in canonical form, or of a kind that cannot receive SMS."""

    message = "The destination phone number is not valid or cannot receive SMS."


class DestinationBlocked(PublicError):
    """The destination policy or the provider's geo permissions block this number."""

    message = "The destination is blocked and cannot receive messages."


class RecipientOptedOut(PublicError):
    """The recipient has opted out of messages from this use case."""

    message = "The recipient has opted out of receiving messages."


class GuardTripped(PublicError):
    """The limit of a guard is reached; ``details`` has the guard and when it has room again."""

    message = "A guard refused this message."


class MessageRejected(PublicError):
    """Any other definite refusal by the provider; see ``details.provider_code``."""

    message = "The provider rejected the message."


class IdempotencyKeyReused(PublicError):
    """The key was used with another body."""

    message = "This Idempotency-Key was used with a different request body."


@dataclass(frozen=True, slots=True)
class Quota:
    """A limit on requests in a window of seconds or, without a window, at once."""

    name: str
    requests: int
    window_seconds: int | None = None


class RateLimited(PublicError):
    """Too many requests at once, or too many wrong ones; nothing was processed."""

    message = "Too many messages are being sent at once. Nothing was sent; try again."
    retry_after_seconds: int | None = 1

    def __init__(
        self, quota: Quota, message: str | None = None, *, retry_after_seconds: int = 1
    ) -> None:
        super().__init__(message)
        self.quota = quota
        self.retry_after_seconds = retry_after_seconds


class ProviderUnavailable(PublicError):
    """The provider never processed the send."""

    message = "The provider cannot be reached at the moment. Nothing was sent; try again."
    retry_after_seconds: int | None = 5

    def __init__(self, retry_after_seconds: float = 5, message: str | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = ceil(min(max(retry_after_seconds, 1), _LONGEST_WAIT_SECONDS))


class ProviderMisconfigured(PublicError):
    """The account or Messaging Service is misconfigured: the owner must act."""

    message = "The provider refused our configuration: check the account and Messaging Service."


class ServiceUnavailable(PublicError):
    """The database cannot be reached or cannot commit."""

    message = "The service is not available at the moment; try again."
    retry_after_seconds = 2


class SubmissionUnconfirmed(PublicError):
    """The provider may have the message: sending it again may send it twice."""

    message = (
        "The provider did not confirm the message. It may have been sent, and is sent again "
        "only if its use case says so: follow its status by its id."
    )

    def __init__(self, message_id: UUID, *, is_replayed: bool = False) -> None:
        super().__init__(details={"id": str(message_id)})
        self.is_replayed = is_replayed


class InternalError(PublicError):
    """An internal defect; the log has it under the request id."""

    message = "An internal error occurred."


class Problems:
    def __init__(self) -> None:
        self._found: dict[str, list[str]] = {}

    def add(self, path: str, mistake: str | None) -> None:
        """None is no mistake."""
        if mistake is not None:
            self._found.setdefault(path, []).append(mistake)

    def catch(self, check: Callable[[], T]) -> T | None:
        """Return the result of a check; if it fails, add its problems."""
        try:
            return check()
        except ValidationFailed as problem:
            for path, texts in (problem.details or {}).items():
                self._found.setdefault(path, []).extend(texts)
        return None

    def found(self) -> dict[str, list[str]]:
        return {path: list(texts) for path, texts in self._found.items()}

    def refuse(self) -> None:
        if self._found:
            raise ValidationFailed(self._found)
