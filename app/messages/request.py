"""The request of a client to send."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.access.principal import Principal, StoredKey
from app.messages.idempotency import IdempotentRequest


@dataclass(frozen=True, slots=True)
class SendRequest:
    """The body of ``POST /v1/sms``, checked field by field."""

    use_case_id: UUID
    to_phone_number: str
    message: str


@dataclass(frozen=True, slots=True)
class SendCall:
    """A request with its caller and its idempotency key, if any.

    The caller is the hash of an access key that is still to be admitted, or somebody who is signed
    in to a workspace. With ``may_wait`` the caller runs it again where no place is free.
    """

    caller: str | Principal
    request: SendRequest
    idempotent: IdempotentRequest | None = None
    may_wait: bool = False
    # Called with an access key once it is admitted; it may refuse the request.
    on_admitted: Callable[[StoredKey, datetime], None] | None = None

    @property
    def token_hash(self) -> str | None:
        """Return the hash of the key that the caller presents."""
        return self.caller if isinstance(self.caller, str) else None

    @property
    def visited_id(self) -> UUID | None:
        """Return the workspace that the caller is signed in to."""
        return None if isinstance(self.caller, str) else self.caller.workspace_id
