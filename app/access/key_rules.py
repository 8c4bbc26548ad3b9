"""Who may manage which access keys, their state and their limits. Pure."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from app.access.principal import Principal, Role, limits_from
from app.kernel.clock import rfc3339
from app.kernel.errors import Forbidden
from app.kernel.rates import DEFAULT_RATE, Rate

# The roles of keys that an admin creates and revokes.
SENDER_KEYS = frozenset({Role.VIEWER, Role.SENDER})


class KeyState(StrEnum):
    LIVE = "live"
    EXPIRED = "expired"
    REVOKED = "revoked"


def state_of(revoked_at: datetime | None, expires_at: datetime | None, now: datetime) -> KeyState:
    if revoked_at is not None:
        return KeyState.REVOKED
    if expires_at is not None and expires_at <= now:
        return KeyState.EXPIRED
    return KeyState.LIVE


def check_may_manage(principal: Principal, role: Role, workspace_id: UUID | None) -> None:
    """Raise `Forbidden` if an owner is needed; None is the organization."""
    if principal.role is Role.OWNER:
        return
    if workspace_id is None:
        raise Forbidden("Access keys of the whole organization take the role owner.")
    if role not in SENDER_KEYS or not principal.role.permits(Role.ADMIN):
        raise Forbidden(f"Access keys of the role {role} take the role owner.")


def mistake_in_end(
    wanted: datetime | None, end_of_maker: datetime | None, now: datetime
) -> str | None:
    """Return the problem with a new key's expiry; None is no expiry."""
    if wanted is not None and wanted <= now:
        return "Has already passed."
    if end_of_maker is not None and (wanted is None or wanted > end_of_maker):
        return f"Must be no later than {rfc3339(end_of_maker)}: your own access key expires then."
    return None


def mistake_in_lasting_access(end_of_maker: datetime | None, *, is_limited: bool) -> str | None:
    if is_limited:
        return (
            "Your own access key is limited, and a person's access is not: use an owner's key "
            "without limits, or let a person who is owner do it."
        )
    if end_of_maker is None:
        return None
    return (
        f"Your own access key expires at {rfc3339(end_of_maker)}, and a person's access does not: "
        "use an owner's key without expiry, or let a person who is owner do it."
    )


def may_manage(principal: Principal, role: Role, workspace_id: UUID | None) -> bool:
    try:
        check_may_manage(principal, role, workspace_id)
    except Forbidden:
        return False
    return True


def describe_limits(
    key: Any, use_case_names: Mapping[UUID, str] | None = None
) -> Iterator[tuple[str, str]]:
    rate, limits = Rate(key.rate_per_second, key.rate_burst), limits_from(key.limits)
    names = use_case_names or {}
    if rate != DEFAULT_RATE:
        yield "rate", f"{rate.per_second} requests per second, burst {rate.burst}"
    use_cases = limits.use_case_ids and (names.get(one, str(one)) for one in limits.use_case_ids)
    for label, values in (
        ("use cases", use_cases),
        ("countries", limits.countries),
        ("networks", limits.source_networks),
    ):
        if values is not None:
            yield label, ", ".join(sorted(map(str, values)))
