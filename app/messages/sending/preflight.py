"""Preflight: the answer that a send to a number would get, without sending."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from app.access.principal import Principal
from app.db.statement import Statement
from app.destinations.geo_permissions.permissions import evaluate_numbers, load_geo_permissions
from app.destinations.policy.evaluate import Policy, Rule, check_destination, decisive_rule
from app.destinations.storage.policies import inheritance_chain
from app.kernel.errors import NotFound, PublicError
from app.kernel.phone import Destination, resolve
from app.messages.sending.admission import (
    POLICY_COLUMNS,
    POLICY_JOINS,
    check_admission,
    load_send_context,
    policy_from,
    policy_values,
    reachable_use_case,
)
from app.providers.port import GeoFacts
from app.use_cases.rules import check_eligibility


@dataclass(frozen=True, slots=True)
class SenderCheck:
    refused: PublicError | None
    ineligible: PublicError | None
    is_suspended: bool
    has_account: bool
    has_opted_out: bool


@dataclass(frozen=True, slots=True)
class Preflight:
    """The verdict on a number, and the first error of a send.

    ``invalid`` is why the number cannot receive messages; ``sender_check`` is None without a use
    case.
    """

    destination: Destination
    verdict: dict[str, Any]
    invalid: dict[str, Any]
    rule: Rule | None
    sender_check: SenderCheck | None


def run_preflight(
    connection: Connection,
    principal: Principal,
    workspace_id: UUID,
    *,
    number: str,
    use_case_id: UUID | None,
    facts: GeoFacts,
    now: datetime,
) -> Preflight:
    """Raises `UseCaseNotFound` or `NotFound`."""
    to = resolve(number)
    sender_check = None
    if use_case_id is None:
        policy = _load_policy(connection, workspace_id, to)
    else:
        context = load_send_context(
            connection, caller=None, use_case_id=use_case_id, to=to, idempotent=None, now=now
        )
        use_case = reachable_use_case(context, principal)
        policy = context.policy
        sender_check = SenderCheck(
            refused=_refusal_of(lambda: check_admission(use_case, context, to, now)),
            ineligible=_refusal_of(lambda: check_eligibility(use_case.eligibility)),
            is_suspended=use_case.is_suspended,
            has_account=use_case.account is not None,
            has_opted_out=context.has_opted_out,
        )
    geo_permissions = load_geo_permissions(connection, workspace_id, facts)
    (verdict,) = evaluate_numbers([number], policy, geo_permissions, now)
    invalid = _refusal_of(lambda: check_destination(policy, to, now))
    return Preflight(
        destination=to,
        verdict=verdict,
        invalid=(invalid.details or {}) if invalid else {},
        rule=decisive_rule(policy, to, now) if verdict["scope"] == "workspace" else None,
        sender_check=sender_check,
    )


_POLICY = Statement(f"""
WITH RECURSIVE {inheritance_chain(":workspace_id")}
SELECT {POLICY_COLUMNS}
FROM workspaces AS w
JOIN organizations AS o ON o.id = w.organization_id
{POLICY_JOINS}
WHERE w.id = :workspace_id""")


def _load_policy(connection: Connection, workspace_id: UUID, to: Destination) -> Policy:
    """Load the policy for one number, without a use case's limits; raises `NotFound`."""
    row = _POLICY.first(connection, {"workspace_id": workspace_id, **policy_values(to)})
    if row is None:
        raise NotFound
    return policy_from(row, to)


def _refusal_of(check: Any) -> PublicError | None:
    try:
        check()
    except PublicError as refused:
        return refused
    return None
