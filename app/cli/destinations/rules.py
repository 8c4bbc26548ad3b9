"""`destinations allow`, `block` and `rule`: what may be reached, and hints about it."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from uuid import UUID

import click
from sqlalchemy import Connection

from app.cli.destinations.change import (
    ChangeOptions,
    acknowledge_option,
    change_options,
    change_policy,
    country,
    destinations_group,
    echo_outcome,
    ending_options,
    make,
    opened_workspace,
    rule_row,
    workspace_option,
)
from app.cli.group import CommandFailure, echo_result, ending, json_option, table
from app.destinations import changes
from app.destinations.api.schemas import RuleBody, WantedRule
from app.destinations.geo_permissions.permissions import load_geo_permissions
from app.destinations.policy.evaluate import RULE_KINDS, Access, Rule
from app.destinations.policy.state import country_accesses
from app.destinations.storage.policies import EffectivePolicy, rule_json
from app.kernel.clock import rfc3339
from app.kernel.countries import has_numbers, hints_for
from app.kernel.errors import NotFound
from app.kernel.ids import parse_id
from app.providers.port import GeoFacts
from app.web.bodies import load

_codes = click.argument("codes", metavar="CODE...", nargs=-1, required=True)
_KINDS = [kind.value for kind in reversed([*RULE_KINDS])]


@dataclass(frozen=True, slots=True)
class Hints:
    """``separate`` maps an allowed country to its territories."""

    separate: dict[str, tuple[str, ...]]
    without_numbers: tuple[str, ...]
    unsupported: tuple[str, ...]
    closed_at_provider: tuple[str, ...]

    def lines(self, *, dry_run: bool) -> Iterator[str]:
        allowed = "would be allowed" if dry_run else "is allowed"
        for code, codes in self.separate.items():
            are, them = ("is", "it") if len(codes) == 1 else ("are", "them")
            yield f"{code} {allowed}; {', '.join(codes)} {are} separate: allow {them} by name"
        for code in self.without_numbers:
            yield f"{country(code)} has no phone numbers: nothing can be sent there"
        for code in self.unsupported:
            yield f"{country(code)}: not supported by Twilio"
        for code in self.closed_at_provider:
            yield f"{country(code)} is blocked at Twilio (last check): see `borderpost geo check`"


def hints_about(
    connection: Connection,
    codes: Sequence[str],
    effective: EffectivePolicy,
    facts: GeoFacts,
    now: datetime,
) -> Hints:
    geo_permissions = load_geo_permissions(connection, effective.workspace_id, facts)
    named = country_accesses(effective.state, now)
    separate = {
        code: tuple(one for one in others if named.get(one) != Access.ALLOWED)
        for code, others in hints_for(codes).items()
    }
    once = list(dict.fromkeys(codes))
    return Hints(
        separate={code: others for code, others in separate.items() if others},
        without_numbers=tuple(code for code in once if not has_numbers(code)),
        unsupported=tuple(code for code in once if geo_permissions.is_unsupported(code)),
        closed_at_provider=tuple(
            code
            for code in once
            if not geo_permissions.is_unsupported(code) and geo_permissions.is_closed(code)
        ),
    )


@destinations_group.command("allow")
@_codes
@ending_options
@acknowledge_option
@change_options
def allow_command(
    *,
    codes: tuple[str, ...],
    until: datetime | None,
    lasting: timedelta | None,
    acknowledged: tuple[str, ...],
    options: ChangeOptions,
) -> None:
    """Allow countries, permanently or until a time.

    Removes a rule that blocks one of them as a whole; rules for prefixes and numbers stay.
    """
    with opened_workspace(options.workspace) as opened:
        ends_at = ending(opened.now, until, lasting)
        reason = None if ends_at is None else options.reason
        outcome = make(
            opened, changes.AllowCountries(codes, acknowledged, ends_at, reason), options
        )
        with opened.services.database.reading() as connection:
            effective = outcome.changed.effective
            hints = hints_about(connection, codes, effective, opened.services.geo_facts, opened.now)
    echo_outcome(opened, outcome, extra=asdict(hints), hints=hints.lines(dry_run=options.dry_run))


@destinations_group.command("block")
@_codes
@change_options
def block_command(*, codes: tuple[str, ...], options: ChangeOptions) -> None:
    """Block countries from the next send on.

    Removes a rule that allows one of them as a whole; rules for prefixes and numbers stay.
    """
    change_policy(changes.BlockCountries(codes), options)


@destinations_group.group("rule")
def rule_group() -> None:
    """Rules for numbers, prefixes and countries; the most specific active rule wins."""


@rule_group.command("add")
@click.argument("kind", metavar=f"[{'|'.join(_KINDS)}]", type=click.Choice(_KINDS))
@click.argument("value")
@click.argument("action", metavar="[allowed|blocked]", type=click.Choice([*map(str, Access)]))
@ending_options
@acknowledge_option
@change_options
def add_command(
    *,
    kind: str,
    value: str,
    action: str,
    until: datetime | None,
    lasting: timedelta | None,
    acknowledged: tuple[str, ...],
    options: ChangeOptions,
) -> None:
    """Add a rule, as `rule add prefix +23276 blocked`.

    It replaces an existing rule of the same kind and value.
    """
    with opened_workspace(options.workspace) as opened:
        ends_at = ending(opened.now, until, lasting)
        body = {"kind": kind, "value": value, "action": action, "reason": options.reason}
        if ends_at is not None:
            body["expires_at"] = rfc3339(ends_at)
        wanted: WantedRule = load(RuleBody(), body)
        change = changes.AddRule(wanted.rule(opened.now), acknowledged)
        outcome = make(opened, change, options)
    rule = change.stored_in(outcome.changed.effective.state)
    echo_outcome(opened, outcome, extra={"rule": rule_json(rule)})


@rule_group.command("list")
@workspace_option
@json_option
def list_command(*, workspace: str | None) -> None:
    """List the rules, oldest first; expired rules have no effect."""
    with opened_workspace(workspace) as opened:
        effective = opened.effective()
    rules = effective.state.rules
    shown = {"revision": effective.revision, "items": [rule_json(rule) for rule in rules]}
    echo_result(shown, [*table(rule_row(rule, opened.now) for rule in rules)] or ["no rules"])


@rule_group.command("remove")
@click.argument("rule", metavar="ID|VALUE")
@change_options
def remove_command(*, rule: str, options: ChangeOptions) -> None:
    """Remove a rule by its id, or by its value if only one rule has it."""
    with opened_workspace(options.workspace) as opened:
        rule_id = parse_id(rule) or _rule_of_value(opened.effective().state.rules, rule)
        try:
            outcome = make(opened, changes.RemoveRule(rule_id), options)
        except NotFound as problem:
            raise CommandFailure(f"there is no rule {rule}") from problem
    echo_outcome(opened, outcome)


def _rule_of_value(rules: tuple[Rule, ...], value: str) -> UUID:
    found = [rule.rule_id for rule in rules if rule.value == value]
    if not found:
        raise CommandFailure(f"there is no rule {value}")
    if len(found) > 1:
        ids = ", ".join(map(str, found))
        raise CommandFailure(f"several rules are about {value}: give the id, one of {ids}")
    return found[0]
