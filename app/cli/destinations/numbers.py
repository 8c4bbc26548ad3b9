"""`destinations check` and `refusals`.

Whole numbers are printed only if the user gave them; refusals are stored masked.
"""

import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import click

from app.cli.destinations.format import country
from app.cli.destinations.options import OpenedWorkspace, opened_workspace, workspace_option
from app.cli.group import Command, CommandFailure, echo_result, json_option, printable, table
from app.cli.input import IdParam, TimeParam, WholeNumberParam
from app.destinations.api.schemas import render_refusal
from app.destinations.geo_permissions.permissions import evaluate_numbers, load_geo_permissions
from app.destinations.refusals import RefusalFilter, load_counts, load_refusals
from app.destinations.storage.policies import load_use_case_countries
from app.kernel.errors import InvalidDestination, NotFound

_STANDARD_INPUT = "-"
_MAX_LISTED = 10_000


@click.command("check", cls=Command)
@click.argument("numbers", metavar="NUMBER...", nargs=-1, required=True)
@click.option("--use-case", type=IdParam(), help="Check as a send of this use case.")
@workspace_option
@json_option
def check_command(
    *, numbers: tuple[str, ...], use_case: Any, workspace: str | None, as_json: bool
) -> None:
    """Check whether each NUMBER is allowed, and which rule decides; sends nothing.

    Numbers are in E.164 form, as +12025550123; - reads them from standard input, one per line.
    """
    with opened_workspace(workspace) as opened:
        verdicts = _check(opened, list(_given(numbers)), use_case)
    if opened.row.suspended_at is not None and not as_json:
        click.echo(
            f"{opened.name} is suspended: every send is refused until it is resumed", err=True
        )
    echo_result({"verdicts": verdicts}, table(map(_verdict_row, verdicts)), as_json=as_json)


def _given(numbers: tuple[str, ...]) -> Iterator[str]:
    for number in numbers:
        if number == _STANDARD_INPUT:
            lines = map(str.strip, sys.stdin)
            yield from filter(None, lines)
        else:
            yield number.encode(errors="replace").decode()


def _check(opened: OpenedWorkspace, numbers: list[str], use_case: Any) -> list[dict[str, Any]]:
    countries = None
    with opened.database.reading() as connection:
        effective = opened.effective(connection)
        geo_permissions = load_geo_permissions(connection, opened.workspace_id, opened.geo_facts)
        if use_case is not None:
            try:
                countries = load_use_case_countries(connection, opened.workspace_id, use_case)
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


@click.command("refusals", cls=Command)
@click.option("--country", metavar="CODE", help="Only sends to this country.")
@click.option("--code", help="Only with this code, for example DestinationBlocked.")
@click.option("--after", type=TimeParam(), help="Only after this time.")
@click.option("--before", type=TimeParam(), help="Only before this time.")
@click.option(
    "--limit",
    default=20,
    show_default=True,
    type=WholeNumberParam(1, _MAX_LISTED),
    help="How many to list, newest first.",
)
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
    as_json: bool,
) -> None:
    """List refused sends, numbers masked, with the counts of the last 30 days."""
    wanted = RefusalFilter(limit, country=country, code=code, after=after, before=before)
    with opened_workspace(workspace) as opened, opened.database.reading() as connection:
        rows = load_refusals(connection, opened.workspace_id, wanted)[:limit]
        counts = load_counts(connection, opened.workspace_id, opened.now)
    items = [render_refusal(row) for row in rows]
    shown = {"items": items, "counts": counts}
    echo_result(shown, _refusal_lines(items, counts), as_json=as_json)


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
