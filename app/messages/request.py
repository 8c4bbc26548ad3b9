"""What a client asks for when it sends."""

from dataclasses import dataclass
from uuid import UUID

from app.messages.idempotency import IdempotentRequest


@dataclass(frozen=True, slots=True)
class SendRequest:
    """The body of ``POST /v1/sms``, checked field by field."""

    use_case_id: UUID
    to_phone_number: str
    message: str


@dataclass(frozen=True, slots=True)
class SendCall:
    """A request with the hash of the key that it presents and its idempotency key, if any."""

    token_hash: str
    request: SendRequest
    idempotent: IdempotentRequest | None = None
