"""Roles, principals, tokens of access keys, and the visibility of recipients. Pure."""

import hashlib
import re
import secrets
import string
import zlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from app.access.key_limits import DEFAULT_RATE, NO_LIMITS, KeyLimits, Rate
from app.kernel.errors import Forbidden, Unauthorized
from app.kernel.masking import mask_every_number_in, mask_number


class Role(StrEnum):
    """Roles from the least to the most powerful; each includes the ones before it."""

    VIEWER = "viewer"
    SENDER = "sender"
    ADMIN = "admin"
    OWNER = "owner"

    def permits(self, wanted: "Role") -> bool:
        return _RANKS[self] >= _RANKS[wanted]


_RANKS = {role: rank for rank, role in enumerate(Role)}


class ActorKind(StrEnum):
    ACCESS_KEY = "access_key"
    COMMAND_LINE = "command_line"
    PROVISIONING = "provisioning"
    SYSTEM = "system"
    USER = "user"


@dataclass(frozen=True, slots=True)
class Principal:
    """An admitted key or a signed-in user.

    Without a workspace it can access every workspace of its organization.
    """

    key_id: UUID
    key_name: str
    organization_id: UUID
    workspace_id: UUID | None
    role: Role
    kind: ActorKind = ActorKind.ACCESS_KEY
    limits: KeyLimits = NO_LIMITS

    def can_access(self, organization_id: UUID, workspace_id: UUID) -> bool:
        if self.organization_id != organization_id:
            return False
        return self.workspace_id is None or self.workspace_id == workspace_id


@dataclass(frozen=True, slots=True)
class StoredKey:
    """An access key that is not admitted yet."""

    principal: Principal
    expires_at: datetime | None
    revoked_at: datetime | None
    rate: Rate = DEFAULT_RATE
    last_used_at: datetime | None = None


def admit(key: StoredKey | None, wanted: Role, now: datetime) -> Principal:
    """Return the principal of a live key.

    Raises `Unauthorized` for an unknown, expired or revoked key, `Forbidden` if its role is not
    sufficient.
    """
    if key is None or key.revoked_at is not None:
        raise Unauthorized
    if key.expires_at is not None and key.expires_at <= now:
        raise Unauthorized
    if not key.principal.role.permits(wanted):
        raise Forbidden(f"This takes the role {wanted}; the access key has {key.principal.role}.")
    return key.principal


@dataclass(frozen=True, slots=True)
class Actor:
    kind: ActorKind
    name: str
    actor_id: UUID | None = None


def actor_of(principal: Principal) -> Actor:
    return Actor(principal.kind, principal.key_name, principal.key_id)


PREFIX = "bp_"
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM_CHARS = 32
# How much of a token is shown, so that people can tell which key a program has.
SHOWN_CHARS = len(PREFIX) + 5
_CHECKSUM_CHARS = 6
_FORM = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_RANDOM_CHARS + _CHECKSUM_CHARS}}}", re.ASCII)


def mint_token() -> str:
    secret = "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_CHARS))
    return PREFIX + secret + _checksum(secret)


def is_well_formed(token: str) -> bool:
    """Whether a token has the right form and checksum."""
    if not _FORM.fullmatch(token):
        return False
    secret = token[len(PREFIX) : -_CHECKSUM_CHARS]
    return token.endswith(_checksum(secret))


def hash_token(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _checksum(secret: str) -> str:
    number = zlib.crc32(secret.encode())
    digits = []
    for _ in range(_CHECKSUM_CHARS):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))


def sees_recipients(role: Role) -> bool:
    """Whether a role may see recipients' numbers and message texts."""
    return role.permits(Role.SENDER)


def shown_number(role: Role, number: str) -> str:
    return number if sees_recipients(role) else mask_number(number)


def shown_body(role: Role, body: str | None) -> str | None:
    return body if sees_recipients(role) else None


def shown_reason(role: Role, reason: str | None) -> str | None:
    return reason if reason is None or sees_recipients(role) else mask_every_number_in(reason)
