"""Authentication by access key, and the role that a route requires.

Nothing is cached, so a revocation applies to the next request.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from uuid import UUID

import structlog
from flask import Flask, Response

from app.access.attempt_limits import AttemptKind, Subject
from app.access.attempts import Attempts
from app.access.audit import PrincipalChange
from app.access.principal import (
    Principal,
    Role,
    StoredKey,
    admit,
    check_source,
    hash_token,
    is_well_formed,
)
from app.access.store import load_key, record_use
from app.db.engine import Database
from app.kernel.errors import Forbidden, Quota, RateLimited, ServiceUnavailable, Unauthorized
from app.kernel.rates import Rate, RateBuckets, Taken, whole_seconds
from app.web.dispatch import current_request
from app.web.errors import add_rate_headers, error_answer
from app.web.registry import current_time, get_service, writing
from app.web.requests import address_group, peer_address
from app.web.waiting import condition_to_run_again

_TAKEN = "borderpost.rate_taken"
_USED = "borderpost.key_used"
_USE_NOTED_EVERY = timedelta(minutes=1)
_log = structlog.get_logger(__name__)


def presented_token_hash() -> str:
    """Raises `Unauthorized`."""
    scheme, _, token = current_request().headers.get("Authorization", "").partition(" ")
    token = token.strip()
    if scheme.lower() != "accesskey" or not is_well_formed(token):
        raise Unauthorized
    return hash_token(token)


def authenticate(database: Database, token_hash: str, wanted: Role, now: datetime) -> Principal:
    """Load and admit the key, and count the request; raises their errors."""
    with database.reading() as connection:
        key = load_key(connection, token_hash)
    principal = admit(key, wanted, now)
    if key is not None:
        count_request(key, now)
    return principal


def count_request(key: StoredKey, now: datetime) -> None:
    """Count a request of an admitted key, and record the use of the key.

    A rerun counts once. Raises `Forbidden` (address outside the key's networks) or
    `RateLimited`.
    """
    try:
        check_source(key.principal.limits, peer_address())
    except Forbidden:
        # What comes from elsewhere takes nothing away from those who may use the key.
        _take(key, key.principal.key_id.bytes + b"elsewhere")
        raise
    _take(key, key.principal.key_id.bytes)
    if key.last_used_at is None or key.last_used_at <= now - _USE_NOTED_EVERY:
        current_request().environ[_USED] = key.principal.key_id, now


def _take(key: StoredKey, bucket: bytes) -> None:
    environ = current_request().environ
    taken: Taken | None = environ.get(_TAKEN)
    if taken is None:
        taken = environ[_TAKEN] = get_service(RateBuckets).take(bucket, key.rate)
    if taken.is_refused:
        raise RateLimited(
            _quota(key.rate),
            f"This access key may make {key.rate.per_second} requests per second. "
            "Nothing was processed; try again.",
            retry_after_seconds=whole_seconds(taken.retry_after_seconds),
        )


def install_key_limits(app: Flask) -> None:
    """Add rate limit headers, record uses, and limit wrong keys."""
    app.register_error_handler(Unauthorized, wrong_key_answer)
    app.after_request(_after_request)


def _after_request(answer: Response) -> Response:
    environ = current_request().environ
    taken: Taken | None = environ.get(_TAKEN)
    if taken is not None:
        seconds = ceil(taken.retry_after_seconds or taken.full_in_seconds)
        add_rate_headers(answer, _quota(taken.rate), taken.remaining, seconds)
    used = environ.get(_USED)
    if used is not None and condition_to_run_again(environ) is None:
        _record_use(*used)
    return answer


def _quota(rate: Rate) -> Quota:
    return Quota("key", rate.burst, whole_seconds(rate.burst / rate.per_second))


def _record_use(key_id: UUID, now: datetime) -> None:
    try:
        with get_service(Database).writing_once() as connection:
            record_use(connection, key_id, peer_address(), now, now - _USE_NOTED_EVERY)
    except ServiceUnavailable:
        # The request is answered anyway; the next one records the use.
        _log.warning("key_use_not_noted", key_id=str(key_id))


def wrong_key_answer(error: Unauthorized) -> Response:
    """Answer 401, or 429 after too many wrong keys from this address.

    Right keys are never counted or refused; without the database nothing is counted.
    """
    if current_request().headers.get("Authorization"):
        try:
            get_service(Attempts).begin(Subject(AttemptKind.KEY, address_group(peer_address())))
        except RateLimited as limited:
            return error_answer(limited)
        except ServiceUnavailable:
            return error_answer(error)
    return error_answer(error)


@dataclass(frozen=True, slots=True)
class Requires:
    role: Role

    @property
    def rule(self) -> str:
        return self.role.value

    def __call__(self) -> Principal:
        now = current_time()
        return authenticate(get_service(Database), presented_token_hash(), self.role, now)


@contextmanager
def changing(principal: Principal) -> Iterator[PrincipalChange]:
    with writing() as (connection, now):
        yield PrincipalChange.by(principal, connection, now)


VIEWER = Requires(Role.VIEWER)
SENDER = Requires(Role.SENDER)
ADMIN = Requires(Role.ADMIN)
OWNER = Requires(Role.OWNER)


@dataclass(frozen=True, slots=True)
class RequiresLater:
    """Guard of the send: one statement reads everything and the key."""

    role: Role

    @property
    def rule(self) -> str:
        return self.role.value

    def __call__(self) -> str:
        """Return the hash of the presented token; the caller must call `admit`."""
        return presented_token_hash()

    def admit(self, token_hash: str) -> Principal:
        return authenticate(get_service(Database), token_hash, self.role, current_time())
