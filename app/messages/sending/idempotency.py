"""The answer to a repeated idempotency key of a workspace. Pure.

For 24 hours, the same key and body get the first answer; another body is refused; a running request
is a conflict; an unconfirmed one gets the same 504 and id.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.kernel import errors as e
from app.messages.lifecycle import Submission, open_is_visible_before

LIFETIME = timedelta(hours=24)
# Stored as the answer when the number was erased: the key stays taken, and no answer replaces this.
ERASED = ""
_PRINTABLE = re.compile(r"[\x20-\x7e]{1,255}", re.ASCII)


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """Hashes of a key and its request; a key may contain personal data."""

    key_hash: str
    request_hash: str


@dataclass(frozen=True, slots=True)
class Prior:
    """The earlier request of a key; ``answer`` is its response text, or `ERASED`."""

    workspace_id: UUID
    request_hash: str
    answer: str | None
    message_id: UUID
    submission: Submission
    created_at: datetime


def identify(key: str, body: Any) -> IdempotentRequest:
    """Raises `BadRequest` for an invalid key."""
    if not _PRINTABLE.fullmatch(key):
        raise e.BadRequest("Idempotency-Key takes 1 to 255 printable ASCII characters.")
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return IdempotentRequest(_sha256(key), _sha256(canonical))


def first_answer(prior: Prior, request: IdempotentRequest, now: datetime) -> str | None:
    """Return None if no answer of the settled send is stored.

    Raises `IdempotencyKeyReused`, `IdempotencyConflict` or `SubmissionUnconfirmed`.
    """
    if prior.request_hash != request.request_hash:
        raise e.IdempotencyKeyReused
    if prior.answer:
        return prior.answer
    if prior.submission in {Submission.ACCEPTED, Submission.NOT_CONFIRMED}:
        return None
    if prior.submission is Submission.OPEN and prior.created_at >= open_is_visible_before(now):
        raise e.IdempotencyConflict
    raise e.SubmissionUnconfirmed(prior.message_id, is_replayed=True)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
