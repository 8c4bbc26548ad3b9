"""Formatting of access keys; never of tokens."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from app.access.key_limits import Rate, describe_limits, limits_from
from app.access.key_rules import KeyState, state_of
from app.db.rows import AnyRow
from app.kernel.clock import rfc3339


def state_of_row(key: AnyRow, now: datetime) -> KeyState:
    """Say whether a stored key is still good."""
    return state_of(key.revoked_at, key.expires_at, now)


def key_as_json(key: AnyRow, now: datetime) -> dict[str, Any]:
    """Return a key with its scope; ``workspace`` is null for a key of the organization."""
    workspace = None
    if key.workspace_id is not None:
        workspace = {"id": str(key.workspace_id), "name": key.workspace_name}
    return {
        "id": str(key.id),
        "name": key.name,
        "role": key.role,
        "organization": {"id": str(key.organization_id), "name": key.organization_name},
        "workspace": workspace,
        "state": state_of_row(key, now).value,
        "created_at": _time(key.created_at),
        "expires_at": _time(key.expires_at),
        "revoked_at": _time(key.revoked_at),
        "rate": Rate(key.rate_per_second, key.rate_burst).as_json(),
        **limits_from(key.limits).as_json(),
        "last_used_at": _time(key.last_used_at),
        "last_used_address": key.last_used_address,
    }


def key_line(key: AnyRow, now: datetime) -> str:
    """Return a key as one line for people."""
    scope = key.organization_name
    if key.workspace_id is not None:
        scope += f" / {key.workspace_name}"
    ends = f", until {_time(key.expires_at)}" if key.expires_at is not None else ""
    line = f"{key.id}  {key.role:<6}  {state_of_row(key, now):<7}  {key.name} ({scope}{ends})"
    return "; ".join([line, *_details(key)])


def _details(key: AnyRow) -> Iterator[str]:
    """Yield what is special about a key: its rate, its limits, its last use."""
    yield from describe_limits(key)
    if key.last_used_at is not None:
        yield f"last used {_time(key.last_used_at)} from {key.last_used_address}"


def _time(at: datetime | None) -> str | None:
    return None if at is None else rfc3339(at)
