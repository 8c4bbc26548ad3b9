"""Limits on failed sign-ins and wrong keys. Pure."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

_SLOTS = 2**18
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


class AttemptKind(StrEnum):
    KEY = "key"  # wrong access keys from an address
    ADDRESS = "address"  # wrong passwords and codes from an address
    ACCOUNT = "account"  # the same for an account, from browsers that have not signed in to it
    BROWSER = "browser"  # the same from one browser that has signed in to the account before
    OWN = "own"  # wrong passwords and codes of a signed-in user


@dataclass(frozen=True, slots=True)
class Limit:
    failures: int
    seconds: int


LIMITS: Mapping[AttemptKind, tuple[Limit, ...]] = MappingProxyType(
    {
        AttemptKind.KEY: (Limit(20, _MINUTE),),
        AttemptKind.ADDRESS: (Limit(20, _MINUTE), Limit(100, _HOUR)),
        AttemptKind.ACCOUNT: (Limit(5, _MINUTE), Limit(20, _HOUR), Limit(60, _DAY)),
        AttemptKind.BROWSER: (Limit(20, _MINUTE), Limit(100, _DAY)),
        AttemptKind.OWN: (Limit(5, _MINUTE), Limit(20, _HOUR), Limit(60, _DAY)),
    }
)


@dataclass(frozen=True, slots=True)
class Subject:
    """A name whose attempts are counted: an address, an account, a browser."""

    kind: AttemptKind
    name: str

    @property
    def slot(self) -> str:
        digest = hashlib.sha256(f"{self.kind}:{self.name}".encode()).digest()
        return f"{self.kind}:{int.from_bytes(digest[:8]) % _SLOTS}"


@dataclass(frozen=True, slots=True)
class AttemptBlock:
    """No attempt is allowed until a time in milliseconds, by this limit."""

    until: int
    limit: Limit


def block_of(times: Sequence[int], limits: Sequence[Limit]) -> AttemptBlock | None:
    """Return the longest block after failures at these times, in milliseconds."""
    blocks = [
        AttemptBlock(times[-limit.failures] + limit.seconds * 1000, limit)
        for limit in limits
        if len(times) >= limit.failures
    ]
    return max(blocks, key=lambda block: block.until, default=None)
