"""Labels of verdicts and refusals: rule, layer and revision."""

from typing import Any

from app.db.rows import AnyRow
from app.destinations.policy.evaluate import Rule, RuleKind, Scope
from app.kernel.countries import country_name
from app.messages.meanings import refusal_meaning

_KINDS = {
    "not_a_real_number": "No such number can exist: its length or prefix is not in any "
    "country's numbering plan.",
    "not_canonical": "This is not the canonical form of the number: use {canonical}.",
    "cannot_receive_sms": "This type of number cannot receive SMS.",
}
# Labels by rule; a rule for a country has the label of its layer.
_OF_RULE: dict[str, str] = {
    RuleKind.NO_COUNTRY: "The number belongs to no country. Such numbers are always blocked.",
    RuleKind.NUMBER: "A rule for this number blocks it.",
    RuleKind.PREFIX: "A prefix rule blocks it.",
}
_OF_SCOPE: dict[str, str] = {
    Scope.PROVIDER: "Twilio's geo permissions block this country: {place}.",
    Scope.ORGANIZATION: "The organization blocks this country for every workspace: {place}.",
    Scope.USE_CASE: "The use case does not allow this country: {place}.",
}
_NOT_NAMED = "{place} is not an allowed destination of this workspace."


def country_label(code: str | None) -> str:
    return "no country" if code is None else country_name(code)


def refusal_label(row: AnyRow) -> str:
    if row.code == "DestinationBlocked":
        return blocked_label(row.rule, row.scope, row.country)
    return refusal_meaning(row.code) or ""


def blocked_label(rule: str | None, scope: str | None, country: str | None) -> str:
    words = _OF_RULE.get(rule or "") or _OF_SCOPE.get(scope or "") or _NOT_NAMED
    return words.format(place=country_label(country))


def allowed_label(rule: str | None, country: str | None) -> str:
    if rule == RuleKind.NUMBER:
        return "A rule for this number allows it."
    if rule == RuleKind.PREFIX:
        return "A prefix rule allows it."
    return f"{country_label(country)} is an allowed destination of this workspace."


def rule_label(rule: Rule) -> str:
    until = f", until {rule.expires_at:%Y-%m-%d %H:%M} UTC" if rule.expires_at else ""
    return f"{rule.kind} {rule.value} is {rule.action}{until}"


def invalid_label(details: dict[str, Any]) -> str:
    kind = details.get("kind")
    words = _KINDS.get(details.get("reason", ""), "Twilio does not accept the number.")
    words = words.format(canonical=details.get("canonical"))
    return words if kind is None else f"{words[:-1]}: {str(kind).replace('_', ' ')}."
