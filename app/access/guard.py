"""Authentication by access key, and the role that a route requires.

Nothing is cached between requests, so a revocation applies to the next one.
"""

from dataclasses import dataclass
from datetime import datetime

from flask import Flask, Response, request

from app.access.attempt_limits import AttemptKind, Subject
from app.access.attempts import Attempts
from app.access.principal import Principal, admit
from app.access.roles import Role
from app.access.store import load_key
from app.access.tokens import hash_token, is_well_formed
from app.db.engine import Database
from app.kernel.clock import Clock
from app.kernel.errors import RateLimited, ServiceUnavailable, Unauthorized
from app.web.errors import error_answer
from app.web.peer import address_group, peer_address
from app.web.wiring import service

_SCHEME = "accesskey"


def presented_token_hash() -> str:
    """Return the hash of the token that the request presents.

    Raises:
        Unauthorized: there is none, or it is damaged.
    """
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    token = token.strip()
    if scheme.lower() != _SCHEME or not is_well_formed(token):
        raise Unauthorized
    return hash_token(token)


def authenticate(database: Database, token_hash: str, wanted: Role, now: datetime) -> Principal:
    """Look the key up and admit it.

    Raises:
        Unauthorized, Forbidden: as `app.access.principal.admit`.
        ServiceUnavailable: the database cannot be reached.
    """
    with database.reading() as connection:
        key = load_key(connection, token_hash)
    return admit(key, wanted, now)


def limit_wrong_keys(app: Flask) -> None:
    """Count every request that presents a wrong key or token; see `wrong_key_answer`."""
    app.register_error_handler(Unauthorized, wrong_key_answer)


def wrong_key_answer(error: Unauthorized) -> Response:
    """Answer a request without a live key: after too many wrong ones from its address, with 429.

    A right key is never counted and never refused. Without the database nothing is counted.
    """
    if request.headers.get("Authorization"):
        try:
            service(Attempts).begin(Subject(AttemptKind.KEY, address_group(peer_address())))
        except RateLimited as limited:
            return error_answer(limited)
        except ServiceUnavailable:
            return error_answer(error)
    return error_answer(error)


@dataclass(frozen=True, slots=True)
class Requires:
    """Guard of a route that takes an access key of at least this role."""

    role: Role

    @property
    def rule(self) -> str:
        """Name the role."""
        return self.role.value

    def __call__(self) -> Principal:
        """Return the admitted key."""
        now = service(Clock).now()
        return authenticate(service(Database), presented_token_hash(), self.role, now)


@dataclass(frozen=True, slots=True)
class RequiresLater:
    """Guard of the send: its key is checked by the one statement that reads all it needs."""

    role: Role

    @property
    def rule(self) -> str:
        """Name the role."""
        return self.role.value

    def __call__(self) -> str:
        """Return the hash of the presented token; the caller must call `admit`."""
        return presented_token_hash()
