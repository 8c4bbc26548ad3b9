"""`destinations list`, `history`, `check` and `refusals`.

Whole numbers are printed only if the user gave them; refusals are stored masked.
"""

import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import click

from app.access.store import load_workspace
from app.cli.destinations.change import (
    OpenedWorkspace,
    change_lines,
    country,
    destinations_group,
    opened_workspace,
    rule_lines,
    rule_row,
    workspace_option,
)
from app.cli.group import (
    COUNTRY,
    FC,
    ID,
    STANDARD_INPUT,
    TIME,
    CommandFailure,
    WholeNumberParam,
    echo_result,
    json_option,
    printable,
    table,
    wants_json,
)
from app.db.rows import AnyRow
from app.destinations.api.document import (
    OPERATOR,
    RulesDifference,
    load_history,
    render_revision,
    rule_changes,
    write_csv,
)
from app.destinations.api.schemas import HistoryFilter, render_refusal
from app.destinations.geo_permissions.permissions import (
    allowed_countries,
    evaluate_numbers,
    load_geo_permissions,
)
from app.destinations.policy.evaluate import Access
from app.destinations.policy.state import CountryChange, country_accesses
from app.destinations.refusals import REFUSAL_CODES, RefusalFilter, load_counts, load_refusals
from app.destinations.storage.policies import EffectivePolicy, load_use_case_countries, rule_json
from app.kernel.clock import rfc3339
from app.kernel.countries import has_numbers
from app.kernel.errors import InvalidDestination, NotFound

_MAX_REVISIONS = 100_000
_MAX_REFUSALS = 10_000


def _limit(default: int, most: int, text: str) -> Callable[[FC], FC]:
    kind = WholeNumberParam(1, most)
    return click.option("--limit", default=default, show_default=True, type=kind, help=text)


@destinations_group.command("list")
@workspace_option
@json_option
def list_command(*, workspace: str | None) -> None:
    """Show the allowed countries of a workspace, its rules, and which workspace owns the policy."""
    with opened_workspace(workspace) as opened, opened.services.database.reading() as connection:
        effective = opened.effective(connection)
        owner = load_workspace(connection, effective.owner_id)
    shown = opened, effective, owner, _accesses(effective, opened)
    echo_result(_policy_json(*shown), _policy_lines(*shown))


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
    return {
        "workspace": {"id": str(opened.workspace_id), "name": opened.name},
        "revision": effective.revision,
        "updated_at": rfc3339(effective.updated_at),
        "inherit": effective.inherits,
        "owner": {"id": str(effective.owner_id), "name": owner.name if owner else None},
        "frozen": opened.row.suspended_at is not None,
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


@destinations_group.command("history")
@_limit(100, _MAX_REVISIONS, "How many revisions, newest first.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, one line per changed country.")
@workspace_option
@json_option
def history_command(*, limit: int, as_csv: bool, workspace: str | None) -> None:
    """Show the history of the destinations, newest first."""
    if as_csv and wants_json():
        raise click.UsageError("--csv and --json exclude each other.")
    with opened_workspace(workspace) as opened, opened.services.database.reading() as connection:
        rows = load_history(connection, opened.workspace_id, HistoryFilter(limit))
    rules = rule_changes(rows, OPERATOR)
    if as_csv:
        click.echo(write_csv(rows, limit, OPERATOR), nl=False)
    else:
        shown = [render_revision(row, rules[row.revision], OPERATOR) for row in rows[:limit]]
        echo_result({"items": shown}, _history_lines(shown, rules))
    if len(rows) > limit:
        click.echo(f"older revisions are not shown (--limit {limit})", err=True)


def _history_lines(
    revisions: list[dict[str, Any]], rules: dict[int, RulesDifference]
) -> Iterator[str]:
    for revision in revisions:
        actor = f"{printable(revision['actor']['name'])} ({revision['actor']['kind']})"
        reason = "" if revision["reason"] is None else f": {printable(revision['reason'])}"
        action = revision["action"]
        if revision["restored_revision"] is not None:
            action = f"{action} revision {revision['restored_revision']}"
        yield f"{revision['revision']}  {revision['at']}  {action} by {actor}{reason}"
        changes = [CountryChange(c["country"], c["from"], c["to"]) for c in revision["changes"]]
        yield from (f"    {line}" for line in change_lines(changes))
        yield from (f"    {line}" for line in rule_lines(rules[revision["revision"]]))
    if not revisions:
        yield "no changes yet"


@destinations_group.command("check")
@click.argument("numbers", metavar="NUMBER...", nargs=-1, required=True)
@click.option("--use-case", type=ID, help="Check as a send of this use case.")
@workspace_option
@json_option
def check_command(*, numbers: tuple[str, ...], use_case: Any, workspace: str | None) -> None:
    """Check whether each NUMBER is allowed, and which rule decides; sends nothing.

    Numbers are in E.164 form, as +12025550123; - reads them from standard input, one per line.
    """
    with opened_workspace(workspace) as opened:
        verdicts = _check(opened, list(_given(numbers)), use_case)
    if opened.row.suspended_at is not None and not wants_json():
        click.echo(
            f"{opened.name} is suspended: every send is refused until it is resumed", err=True
        )
    echo_result({"verdicts": verdicts}, table(map(_verdict_row, verdicts)))


def _given(numbers: tuple[str, ...]) -> Iterator[str]:
    for number in numbers:
        if number == STANDARD_INPUT:
            yield from filter(None, map(str.strip, sys.stdin))
        else:
            yield number.encode(errors="replace").decode()


def _check(opened: OpenedWorkspace, numbers: list[str], use_case: Any) -> list[dict[str, Any]]:
    countries = None
    services, workspace_id = opened.services, opened.workspace_id
    with services.database.reading() as connection:
        effective = opened.effective(connection)
        geo_permissions = load_geo_permissions(connection, workspace_id, services.geo_facts)
        if use_case is not None:
            try:
                countries = load_use_case_countries(connection, workspace_id, use_case)
            except NotFound as problem:
                raise CommandFailure(f"{opened.name} has no use case {use_case}") from problem
    return evaluate_numbers(numbers, effective.policy(countries), geo_permissions, opened.now)


def _verdict_row(verdict: dict[str, Any]) -> tuple[str, ...]:
    where = "" if verdict["country"] is None else country(verdict["country"])
    canonical = verdict["canonical"]
    if canonical not in {None, verdict["number"]}:
        why = f"not in canonical form; use {canonical}"
    elif verdict["code"] == InvalidDestination.__name__:
        why = "not a number that can receive SMS"
    else:
        why = f"by {verdict['rule']} of {verdict['scope']}, revision {verdict['revision']}"
    if verdict["provider_closed"]:
        why += "; closed at Twilio"
    result = "allowed" if verdict["allowed"] else verdict["code"]
    return printable(verdict["number"]), result, where, why


@destinations_group.command("refusals")
@click.option("--country", type=COUNTRY, help="Only sends to this country.")
@click.option("--code", type=click.Choice(REFUSAL_CODES), help="Only with this code.")
@click.option("--after", type=TIME, help="Only after this time.")
@click.option("--before", type=TIME, help="Only before this time.")
@_limit(20, _MAX_REFUSALS, "How many to list, newest first.")
@workspace_option
@json_option
def refusals_command(
    *,
    country: str | None,
    code: str | None,
    after: datetime | None,
    before: datetime | None,
    limit: int,
    workspace: str | None,
) -> None:
    """List refused sends, numbers masked, with the counts of the last 30 days."""
    wanted = RefusalFilter(limit, country=country, code=code, after=after, before=before)
    with opened_workspace(workspace) as opened, opened.services.database.reading() as connection:
        rows = load_refusals(connection, opened.workspace_id, wanted)[:limit]
        counts = load_counts(connection, opened.workspace_id, opened.now)
    items = [render_refusal(row) for row in rows]
    echo_result({"items": items, "counts": counts}, _refusal_lines(items, counts))


def _refusal_lines(items: list[dict[str, Any]], counts: list[dict[str, Any]]) -> Iterator[str]:
    if not counts and not items:
        yield "no refused sends"
        return
    yield "by day, country and code, last 30 days:"
    yield from (f"  {line}" for line in table(map(_count_row, counts)))
    yield "latest:"
    yield from (f"  {line}" for line in table(map(_refusal_row, items)))


def _count_row(count: dict[str, Any]) -> tuple[str, ...]:
    where = "no country" if count["country"] is None else country(count["country"])
    unlisted = f"{count['unlisted']} of them not listed" if count["unlisted"] else ""
    return count["day"], where, count["code"], str(count["refusals"]), unlisted


def _refusal_row(item: dict[str, Any]) -> tuple[str, ...]:
    why = item["source"] or ""
    if item["rule"] is not None:
        why += f": {item['rule']} of {item['scope']}, revision {item['revision']}"
    if item["provider_code"] is not None:
        why += f" {item['provider_code']}"
    where = item["country"] or "-"
    return item["at"], item["number"], where, item["code"], why, item["use_case_id"] or ""
