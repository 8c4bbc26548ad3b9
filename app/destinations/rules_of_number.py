"""A SQL expression that selects the rules for one number, for use in a larger statement.

A number has at most sixteen prefixes, so rules are looked up by value.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, String, and_, cast, func, or_, select

from app.destinations.policy import Access, Rule, RuleKind
from app.destinations.tables import destination_rules

_BETWEEN_FIELDS = "|"
_BETWEEN_RULES = ";"
_MAX_LENGTH = 16


def rules_of_number(
    workspace_id: ColumnElement[UUID],
    number: ColumnElement[str],
    country: ColumnElement[str],
) -> ColumnElement[str | None]:
    """Return the expression; `read_rules` parses its value."""
    columns = destination_rules.c
    prefixes = [func.substr(number, 1, length) for length in range(1, _MAX_LENGTH + 1)]
    speaks = or_(
        and_(columns.kind == RuleKind.COUNTRY.value, columns.value == country),
        and_(columns.kind == RuleKind.PREFIX.value, columns.value.in_(prefixes)),
        and_(columns.kind == RuleKind.NUMBER.value, columns.value == number),
    )
    fields: list[ColumnElement[Any]] = [
        cast(columns.id, String),
        columns.kind,
        columns.value,
        columns.action,
        func.coalesce(cast(columns.expires_at, String), ""),
    ]
    text: ColumnElement[Any] = fields[0]
    for field in fields[1:]:
        text = text.concat(_BETWEEN_FIELDS).concat(field)
    return (
        select(func.aggregate_strings(text, _BETWEEN_RULES))
        .where(columns.workspace_id == workspace_id, speaks)
        .scalar_subquery()
    )


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
