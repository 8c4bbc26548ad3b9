"""The part of a policy that decides about one number, read by one statement."""

import json
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from app.db.rows import AnyRow
from app.db.statement import Statement
from app.destinations.policy.evaluate import Access, Policy, Rule, RuleKind, rule_values
from app.destinations.storage.policies import inheritance_chain
from app.kernel.errors import NotFound
from app.kernel.phone import Destination

_BETWEEN_FIELDS = "|"
_BETWEEN_RULES = ";"

# An expression for the rules of the workspace ``owner`` whose values are ``:rule_values``
# (`rule_values`); `read_rules` reads its value.
RULES_OF_NUMBER = f"""(SELECT string_agg(
      r.id || '{_BETWEEN_FIELDS}' || r.kind || '{_BETWEEN_FIELDS}' || r.value
      || '{_BETWEEN_FIELDS}' || r.action
      || '{_BETWEEN_FIELDS}' || coalesce(r.expires_at::text, ''), '{_BETWEEN_RULES}')
    FROM destination_rules AS r
    WHERE r.workspace_id = owner.id AND r.value = ANY(:rule_values))"""


def read_rules(text: str | None) -> tuple[Rule, ...]:
    """Parse the value of the rules expression."""
    if not text:
        return ()
    return tuple(_read(one) for one in text.split(_BETWEEN_RULES))


def _read(text: str) -> Rule:
    rule_id, kind, value, action, expires_at = text.split(_BETWEEN_FIELDS)
    return Rule(
        rule_id=UUID(rule_id),
        kind=RuleKind(kind),
        value=value,
        action=Access(action),
        expires_at=datetime.fromisoformat(expires_at) if expires_at else None,
    )


# The columns of `policy_from`, from the tables ``o`` (organization), ``policy`` and ``owner``.
POLICY_COLUMNS = f"""o.denied_destinations::text AS denied_by_organization,
  policy.revision, policy.destinations::text AS destinations,
  {RULES_OF_NUMBER} AS rules"""
POLICY_JOINS = """LEFT JOIN chain AS owner ON NOT owner.inherits
LEFT JOIN destination_policies AS policy ON policy.workspace_id = owner.id"""

_STATEMENT = Statement(f"""
WITH RECURSIVE {inheritance_chain(":workspace_id")}
SELECT {POLICY_COLUMNS}
FROM workspaces AS w
JOIN organizations AS o ON o.id = w.organization_id
{POLICY_JOINS}
WHERE w.id = :workspace_id""")


def load_number_policy(connection: Connection, workspace_id: UUID, to: Destination) -> Policy:
    """Load the policy for one number, without a use case's limits; raises `NotFound`."""
    values = {"workspace_id": workspace_id, "rule_values": rule_values(to)}
    row = _STATEMENT.first(connection, values)
    if row is None:
        raise NotFound
    return policy_from(row)


def policy_from(row: AnyRow, use_case_countries: str | None = None) -> Policy:
    countries = parsed(use_case_countries)
    return Policy(
        revision=row.revision or 0,
        destinations=parsed(row.destinations) or {},
        denied_by_organization=frozenset(parsed(row.denied_by_organization) or ()),
        rules=read_rules(row.rules),
        use_case_countries=None if countries is None else frozenset(countries),
    )


@lru_cache(maxsize=256)
def parsed(text: str | None) -> Any:
    """Parse JSON, cached by text. Callers must not change it."""
    return None if text is None else json.loads(text)
