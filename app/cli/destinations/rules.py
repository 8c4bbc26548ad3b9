"""`destinations rule`: rules for numbers, prefixes and countries."""

from datetime import datetime, timedelta
from uuid import UUID

import click

from app.cli.destinations.change import echo_outcome, make
from app.cli.destinations.format import rule_row
from app.cli.destinations.options import (
    ChangeOptions,
    acknowledge_option,
    change_options,
    ending_options,
    opened_workspace,
    workspace_option,
)
from app.cli.group import CommandFailure, Group, echo_result, json_option, table
from app.cli.input import ending
from app.destinations import changes
from app.destinations.api.schemas import RuleBody, WantedRule
from app.destinations.policy.evaluate import RULE_KINDS, Access, Rule
from app.destinations.storage.policies import rule_json
from app.kernel.clock import rfc3339
from app.kernel.errors import NotFound
from app.kernel.ids import parse_id
from app.web.bodies import load

_KINDS = [kind.value for kind in reversed([*RULE_KINDS])]


@click.group("rule", cls=Group)
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
        rule = wanted.rule(opened.now)
        outcome = make(opened, changes.AddRule(rule, acknowledged), options)
    echo_outcome(opened, outcome, options, extra={"rule": rule_json(rule)})


@rule_group.command("list")
@workspace_option
@json_option
def list_command(*, workspace: str | None, as_json: bool) -> None:
    """List the rules, oldest first; expired rules have no effect."""
    with opened_workspace(workspace) as opened:
        effective = opened.effective()
    rules = effective.state.rules
    shown = {"revision": effective.revision, "items": [rule_json(rule) for rule in rules]}
    lines = [*table(rule_row(rule, opened.now) for rule in rules)]
    echo_result(shown, lines or ["no rules"], as_json=as_json)


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
    echo_outcome(opened, outcome, options)


def _rule_of_value(rules: tuple[Rule, ...], value: str) -> UUID:
    found = [rule.rule_id for rule in rules if rule.value == value]
    if not found:
        raise CommandFailure(f"there is no rule {value}")
    if len(found) > 1:
        ids = ", ".join(map(str, found))
        raise CommandFailure(f"several rules are about {value}: give the id, one of {ids}")
    return found[0]
