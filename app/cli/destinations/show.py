"""`destinations list` and `history`."""

from collections.abc import Iterator
from typing import Any

import click

from app.access.store import load_workspace
from app.cli.destinations.format import country, revision_lines, rule_lines, rule_row
from app.cli.destinations.options import OpenedWorkspace, opened_workspace, workspace_option
from app.cli.group import Command, echo_result, json_option, printable, table
from app.cli.input import WholeNumberParam
from app.db.rows import AnyRow
from app.destinations.api.document import (
    RulesDifference,
    load_history,
    render_revision,
    rule_changes,
    write_csv,
)
from app.destinations.api.schemas import HistoryFilter
from app.destinations.geo_permissions.permissions import allowed_countries
from app.destinations.policy.evaluate import Access
from app.destinations.policy.state import country_accesses
from app.destinations.policy.territories import has_numbers
from app.destinations.storage.policies import EffectivePolicy, rule_json
from app.destinations.storage.visible_rules import OPERATOR
from app.kernel.clock import rfc3339

_MAX_LISTED = 100_000


@click.command("list", cls=Command)
@workspace_option
@json_option
def list_command(*, workspace: str | None, as_json: bool) -> None:
    """Show the allowed countries of a workspace, its rules, and which workspace owns the policy."""
    with opened_workspace(workspace) as opened, opened.database.reading() as connection:
        effective = opened.effective(connection)
        owner = load_workspace(connection, effective.owner_id)
    accesses = _accesses(effective, opened)
    shown = opened, effective, owner, accesses
    echo_result(_policy_json(*shown), _policy_lines(*shown), as_json=as_json)


def _accesses(effective: EffectivePolicy, opened: OpenedWorkspace) -> dict[str, str]:
    named = country_accesses(effective.state, opened.now).keys() | effective.denied_by_organization
    allowed = allowed_countries(effective.policy(), opened.now)
    return {
        code: (Access.ALLOWED if code in allowed else Access.BLOCKED).value
        for code in sorted(named | allowed)
    }


def _policy_json(
    opened: OpenedWorkspace,
    effective: EffectivePolicy,
    owner: AnyRow | None,
    accesses: dict[str, str],
) -> dict[str, Any]:
    suspended_at = opened.row.suspended_at
    return {
        "workspace": {"id": str(opened.workspace_id), "name": opened.name},
        "revision": effective.revision,
        "updated_at": rfc3339(effective.updated_at),
        "inherit": effective.inherits,
        "owner": {"id": str(effective.owner_id), "name": owner.name if owner else None},
        "frozen": suspended_at is not None,
        "frozen_reason": opened.row.suspended_reason,
        "denied_by_organization": sorted(effective.denied_by_organization),
        "reachable": [code for code, access in accesses.items() if access == Access.ALLOWED],
        "destinations": dict(sorted(effective.state.destinations.items())),
        "rules": [rule_json(rule) for rule in effective.state.rules],
    }


def _policy_lines(
    opened: OpenedWorkspace,
    effective: EffectivePolicy,
    owner: AnyRow | None,
    accesses: dict[str, str],
) -> Iterator[str]:
    whose = f"inherited from {owner.name if owner else 'nobody'}" if effective.inherits else "own"
    changed = rfc3339(effective.updated_at)
    yield f"{opened.name}: {whose} policy, revision {effective.revision}, changed {changed}"
    if opened.row.suspended_at is not None:
        reason = printable(opened.row.suspended_reason or "")
        yield f"suspended since {rfc3339(opened.row.suspended_at)}, every send is refused: {reason}"
    rows = [
        (country(code), access, _why(code, access, effective)) for code, access in accesses.items()
    ]
    yield from table(rows)
    yield "every other country: blocked" if rows else "every country: blocked"
    if effective.state.rules:
        yield "rules (the most specific active rule wins):"
        rules = (rule_row(rule, opened.now) for rule in effective.state.rules)
        yield from (f"  {line}" for line in table(rules))


def _why(code: str, access: str, effective: EffectivePolicy) -> str:
    if code in effective.denied_by_organization:
        return "blocked by organization"
    if not has_numbers(code):
        return "no number belongs to it"
    return "" if effective.state.destinations.get(code) == access else "by a rule"


@click.command("history", cls=Command)
@click.option(
    "--limit",
    default=100,
    show_default=True,
    type=WholeNumberParam(1, _MAX_LISTED),
    help="How many revisions, newest first.",
)
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, one line per changed country.")
@workspace_option
@json_option
def history_command(*, limit: int, as_csv: bool, workspace: str | None, as_json: bool) -> None:
    """Show the history of the destinations, newest first."""
    if as_csv and as_json:
        raise click.UsageError("--csv and --json exclude each other.")
    with opened_workspace(workspace) as opened, opened.database.reading() as connection:
        rows = load_history(connection, opened.workspace_id, HistoryFilter(limit))
    rules = rule_changes(rows, OPERATOR)
    if as_csv:
        click.echo(write_csv(rows, limit, OPERATOR), nl=False)
    else:
        shown = [render_revision(row, rules[row.revision], OPERATOR) for row in rows[:limit]]
        echo_result({"items": shown}, _history_lines(rows[:limit], rules), as_json=as_json)
    if len(rows) > limit:
        click.echo(f"older revisions are not shown (--limit {limit})", err=True)


def _history_lines(rows: list[AnyRow], rules: dict[int, RulesDifference]) -> Iterator[str]:
    for row in rows:
        changed = rules[row.revision]
        yield from revision_lines(render_revision(row, changed, OPERATOR))
        yield from (f"    {line}" for line in rule_lines(changed))
    if not rows:
        yield "no changes yet"
