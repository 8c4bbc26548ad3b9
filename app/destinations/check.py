"""Judging numbers without sending: the same code path as a send, for up to a thousand at once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select

from app.access.tables import workspaces
from app.destinations.judge import check_destination
from app.destinations.policy import Policy
from app.destinations.refusal import Source
from app.destinations.tables import provider_permissions
from app.kernel.errors import DestinationBlocked, InvalidDestination
from app.kernel.phone import resolve


@dataclass(frozen=True, slots=True)
class ProviderGates:
    """What is known of the provider's geo permissions; countries it never spoke of are absent."""

    is_open: Mapping[str, bool]

    def is_closed(self, country: str | None) -> bool | None:
        """Say whether the provider is known to block a country; None where nothing is known."""
        found = self.is_open.get(country or "")
        return None if found is None else not found


def load_gates(connection: Connection, workspace_id: UUID) -> ProviderGates:
    """Load what is known of the geo permissions of a workspace's provider account."""
    query = (
        select(provider_permissions.c.country, provider_permissions.c.is_open)
        .join(workspaces, workspaces.c.account_sid == provider_permissions.c.account_sid)
        .where(workspaces.c.id == workspace_id)
    )
    return ProviderGates({row.country: row.is_open for row in connection.execute(query)})


def judge_all(
    numbers: Iterable[str], policy: Policy, gates: ProviderGates, now: datetime
) -> list[dict[str, Any]]:
    """Judge numbers in the order given, in the words of the API."""
    return [_judge(number, policy, gates, now) for number in numbers]


def _judge(number: str, policy: Policy, gates: ProviderGates, now: datetime) -> dict[str, Any]:
    destination = resolve(number)
    found: dict[str, Any] = {
        "number": number,
        "allowed": False,
        "code": None,
        "country": destination.country,
        "rule": None,
        "scope": None,
        "source": None,
        "revision": policy.revision,
        "provider_closed": gates.is_closed(destination.country),
    }
    try:
        verdict = check_destination(policy, destination, now)
    except (InvalidDestination, DestinationBlocked) as refused:
        found["code"] = refused.code
        details = refused.details or {}
        decisive = {name: details[name] for name in ("rule", "scope", "source") if name in details}
        return found | decisive
    return found | {
        "allowed": True,
        "rule": verdict.rule,
        "scope": verdict.scope,
        "source": Source.POLICY,
    }
