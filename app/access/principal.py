"""Roles, principals, tokens of access keys, and the visibility of recipients. Pure."""

import hashlib
import ipaddress
import json
import re
import secrets
import string
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, TypeAlias
from uuid import UUID

from app.kernel.errors import Forbidden, Unauthorized
from app.kernel.masking import mask_every_number_in, mask_number
from app.kernel.rates import DEFAULT_RATE, Rate

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
_MAPPED_BITS = 96
_WIDER = "Is wider than your own access key"


@dataclass(frozen=True, slots=True)
class KeyLimits:
    use_case_ids: frozenset[UUID] | None = None
    countries: frozenset[str] | None = None
    source_networks: tuple[Network, ...] | None = None

    def as_json(self) -> dict[str, list[str] | None]:
        return {
            "use_case_ids": _texts(self.use_case_ids),
            "countries": _texts(self.countries),
            "source_networks": _texts(self.source_networks),
        }


NO_LIMITS = KeyLimits()


def parse_network(text: str) -> Network | None:
    """Return a network as peers are compared: IPv4 in an IPv6 notation is IPv4."""
    try:
        found = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv4Network):
        return found
    if found.network_address.scope_id is not None:
        return None  # a peer has no scope
    mapped = found.network_address.ipv4_mapped
    if mapped is None:
        return found
    return ipaddress.IPv4Network((mapped, found.prefixlen - _MAPPED_BITS))


def limits_text(limits: KeyLimits) -> str | None:
    if limits == NO_LIMITS:
        return None
    return json.dumps(
        {name: value for name, value in limits.as_json().items() if value is not None}
    )


@lru_cache(maxsize=1024)
def limits_from(text: str | None) -> KeyLimits:
    if text is None:
        return NO_LIMITS
    stored: dict[str, Any] = json.loads(text)
    ids, countries = stored.get("use_case_ids"), stored.get("countries")
    networks = stored.get("source_networks")
    return KeyLimits(
        use_case_ids=None if ids is None else frozenset(map(UUID, ids)),
        countries=None if countries is None else frozenset(countries),
        source_networks=None if networks is None else tuple(map(ipaddress.ip_network, networks)),
    )


def check_source(limits: KeyLimits, address: str) -> None:
    if limits.source_networks is not None and not _is_in(address, limits.source_networks):
        raise Forbidden("This access key may not be used from this address.")


def check_use_case(limits: KeyLimits, use_case_id: UUID) -> None:
    if limits.use_case_ids is not None and use_case_id not in limits.use_case_ids:
        raise Forbidden("This access key may not send through this use case.")


def check_country(limits: KeyLimits, country: str | None) -> None:
    if limits.countries is not None and country not in limits.countries:
        where = "to this number" if country is None else f"to {country}"
        raise Forbidden(f"This access key may not send {where}.")


def narrowed(wanted: KeyLimits, own: KeyLimits) -> KeyLimits:
    return KeyLimits(
        own.use_case_ids if wanted.use_case_ids is None else wanted.use_case_ids,
        own.countries if wanted.countries is None else wanted.countries,
        own.source_networks if wanted.source_networks is None else wanted.source_networks,
    )


def problems_of_wider(wanted: KeyLimits, own: KeyLimits) -> Iterable[tuple[str, str]]:
    """Yield the fields in which a new key exceeds its creator's, with the reason."""
    if _exceeds(wanted.use_case_ids, own.use_case_ids):
        yield "use_case_ids", f"{_WIDER}: it is limited to some use cases."
    if _exceeds(wanted.countries, own.countries):
        allowed = ", ".join(sorted(own.countries or ()))
        yield "countries", f"{_WIDER}: it may send to {allowed}."
    if own.source_networks is not None and not all(
        any(_covers(mine, one) for mine in own.source_networks)
        for one in wanted.source_networks or ()
    ):
        yield "source_networks", f"{_WIDER}: it is limited to some networks."


def problems_of_faster(wanted: Rate, own: Rate) -> Iterable[tuple[str, str]]:
    if wanted.per_second > own.per_second:
        yield "rate.per_second", f"{_WIDER}: it may make {own.per_second} requests per second."
    if wanted.burst > own.burst:
        yield "rate.burst", f"{_WIDER}: it has a burst of {own.burst}."


def _exceeds(wanted: frozenset[Any] | None, own: frozenset[Any] | None) -> bool:
    return own is not None and wanted is not None and not wanted <= own


def _covers(mine: Network, one: Network) -> bool:
    if isinstance(mine, ipaddress.IPv4Network):
        return isinstance(one, ipaddress.IPv4Network) and one.subnet_of(mine)
    return isinstance(one, ipaddress.IPv6Network) and one.subnet_of(mine)


def _is_in(address: str, networks: Iterable[Network]) -> bool:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False  # a local socket has no address
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in network for network in networks)


def _texts(values: Iterable[object] | None) -> list[str] | None:
    return None if values is None else sorted(map(str, values))


class Role(StrEnum):
    """Each role includes the ones before it."""

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
    """An admitted key or a signed-in user; without a workspace, for all of the organization."""

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
    """Not admitted yet."""

    principal: Principal
    expires_at: datetime | None
    revoked_at: datetime | None
    rate: Rate = DEFAULT_RATE
    last_used_at: datetime | None = None


def key_from(row: Any) -> StoredKey | None:
    if row.key_id is None:
        return None
    principal = Principal(
        key_id=row.key_id,
        key_name=row.key_name,
        organization_id=row.key_organization_id,
        workspace_id=row.key_workspace_id,
        role=Role(row.key_role),
        limits=limits_from(row.key_limits),
    )
    return StoredKey(
        principal,
        row.key_expires_at,
        row.key_revoked_at,
        Rate(row.key_rate_per_second, row.key_rate_burst),
        row.key_last_used_at,
    )


def admit(key: StoredKey | None, wanted: Role, now: datetime) -> Principal:
    """Raises `Unauthorized` or `Forbidden`."""
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

    @property
    def columns(self) -> dict[str, Any]:
        return {"actor_kind": self.kind, "actor_id": self.actor_id, "actor_name": self.name}


def actor_of(principal: Principal) -> Actor:
    has_id = principal.kind is not ActorKind.PROVISIONING
    return Actor(principal.kind, principal.key_name, principal.key_id if has_id else None)


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
    return role.permits(Role.SENDER)


def shown_number(role: Role, number: str) -> str:
    return number if sees_recipients(role) else mask_number(number)


def shown_body(role: Role, body: str | None) -> str | None:
    return body if sees_recipients(role) else None


def shown_reason(role: Role, reason: str | None) -> str | None:
    return reason if reason is None or sees_recipients(role) else mask_every_number_in(reason)
