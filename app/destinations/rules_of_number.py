"""SQL that selects the rules for one number, for use in a larger statement.

A number has at most sixteen prefixes, so rules are looked up by value.
"""

from datetime import datetime
from uuid import UUID

from app.destinations.policy import Access, Rule, RuleKind
from app.kernel.phone import Destination

_BETWEEN_FIELDS = "|"
_BETWEEN_RULES = ";"

# An expression for the rules of the workspace ``owner``; `read_rules` reads its value.
RULES_OF_NUMBER = f"""(SELECT string_agg(
      r.id || '{_BETWEEN_FIELDS}' || r.kind || '{_BETWEEN_FIELDS}' || r.value
      || '{_BETWEEN_FIELDS}' || r.action
      || '{_BETWEEN_FIELDS}' || coalesce(r.expires_at::text, ''), '{_BETWEEN_RULES}')
    FROM destination_rules AS r
    WHERE r.workspace_id = owner.id AND r.value = ANY(:rule_values))"""


def rule_values(to: Destination) -> list[str]:
    """Return the values of all rules that can cover a number: ``:rule_values`` of the SQL."""
    number = to.canonical or to.number
    prefixes = [number[:length] for length in range(1, len(number) + 1)]
    return prefixes if to.country is None else [to.country, *prefixes]


def read_rules(text: str | None) -> tuple[Rule, ...]:
    """Read the rules that the expression found."""
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
