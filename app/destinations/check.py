"""Checking up to a thousand numbers with the code path of a send."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select

from app.access.tables import workspaces
from app.destinations.judge import check_destination
from app.destinations.policy import Policy
from app.destinations.provider_gates import Gate, ProviderGates
from app.destinations.refusal import Source
from app.destinations.tables import provider_permissions
from app.kernel.errors import DestinationBlocked, InvalidDestination
from app.kernel.phone import resolve


def load_gates(connection: Connection, workspace_id: UUID) -> ProviderGates:
    """Load the known geo permissions of a workspace's provider account."""
    known = provider_permissions.c
    query = (
        select(known.country, known.is_open, known.is_high_risk)
        .join(workspaces, workspaces.c.account_sid == known.account_sid)
        .where(workspaces.c.id == workspace_id)
    )
    return ProviderGates(
        {row.country: Gate(row.is_open, row.is_high_risk) for row in connection.execute(query)}
    )


def judge_all(
    numbers: Iterable[str], policy: Policy, gates: ProviderGates, now: datetime
) -> list[dict[str, Any]]:
    """Judge numbers in the order given, in the words of the API."""
    return [_judge(number, policy, gates, now) for number in numbers]


def _judge(number: str, policy: Policy, gates: ProviderGates, now: datetime) -> dict[str, Any]:
    destination = resolve(number)
    found: dict[str, Any] = {
        "number": number,
        "canonical": destination.canonical if destination.is_real else None,
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
