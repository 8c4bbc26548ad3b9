"""Opening a workspace, making a change or a dry run, and printing its result."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import datetime
from functools import wraps
from typing import Any
from uuid import UUID

import click
from sqlalchemy import Connection

from app.bootstrap import Services, open_services, open_settings
from app.cli.context import command_line_actor, find_workspace, ready_database
from app.cli.group import (
    DURATION,
    TIME,
    CommandFailure,
    WholeNumberParam,
    borderpost,
    echo_result,
    json_option,
    options_of,
    printable,
)
from app.db.rows import AnyRow
from app.destinations.api.configuration import effect_json
from app.destinations.api.document import RulesDifference, rules_difference
from app.destinations.manage import Changed, ChangeRequest, PolicyChange
from app.destinations.policy.evaluate import Rule
from app.destinations.policy.state import CountryChange
from app.destinations.storage.policies import EffectivePolicy, load_effective
from app.kernel.clock import Clock, rfc3339, utc_now
from app.kernel.countries import country_name
from app.kernel.errors import DestinationsInherited, RevisionMismatch

workspace_option = click.option(
    "--workspace", metavar="NAME|ID", help="The workspace; may be left out where there is one."
)
MAX_REVISION = 2**31 - 1
_MAX_REASON = 500
ending_options = options_of(
    click.option("--until", type=TIME, help="When it expires."),
    click.option("--for", "lasting", type=DURATION, help="How long it lasts, for example 2h."),
)


@borderpost.group("destinations")
def destinations_group() -> None:
    """Which countries and numbers a workspace may reach."""


@dataclass(frozen=True, slots=True)
class OpenedWorkspace:
    row: AnyRow
    services: Services
    now: datetime

    @property
    def workspace_id(self) -> UUID:
        found: UUID = self.row.id
        return found

    @property
    def name(self) -> str:
        return str(self.row.name)

    def effective(self, connection: Connection | None = None) -> EffectivePolicy:
        if connection is not None:
            return load_effective(connection, self.workspace_id)
        with self.services.database.reading() as own:
            return load_effective(own, self.workspace_id)


@contextmanager
def opened_workspace(name_or_id: str | None) -> Iterator[OpenedWorkspace]:
    """Without a name, the only one; raises `CommandFailure`."""
    settings = open_settings()
    with ready_database(settings) as database:
        services = open_services(settings, clock=Clock(utc_now), database=database)
        with database.reading() as connection:
            row = find_workspace(connection, name_or_id)
        yield OpenedWorkspace(row, services, services.clock.now())


class TextParam(click.ParamType[str]):
    """A storable text of up to 500 characters."""

    name = "TEXT"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        text = str(value).strip()
        if not 0 < len(text) <= _MAX_REASON or any("\ud800" <= c <= "\udfff" for c in text):
            self.fail(f"must have 1 to {_MAX_REASON} characters", param, ctx)
        return text


@dataclass(frozen=True, slots=True)
class ChangeOptions:
    workspace: str | None
    dry_run: bool
    reason: str | None
    if_match: int | None

    @property
    def request(self) -> ChangeRequest:
        if_match = None if self.if_match is None else frozenset({self.if_match})
        return ChangeRequest(command_line_actor(), self.reason, if_match, self.dry_run)

    def mismatch(self, problem: RevisionMismatch) -> CommandFailure:
        found = (problem.details or {}).get("revision")
        return CommandFailure(
            f"the current revision is {found}, not {self.if_match}: nothing was changed"
        )


_options = options_of(
    workspace_option,
    click.option(
        "--dry-run",
        is_flag=True,
        help="Change nothing: print the difference and its effect on the last 30 days of traffic.",
    ),
    click.option("--reason", type=TextParam(), help="Reason, shown in the history."),
    click.option(
        "--if-match",
        metavar="REVISION",
        type=WholeNumberParam(0, MAX_REVISION),
        help="Change only if this is still the current revision.",
    ),
    json_option,
)
acknowledge_option = click.option(
    "--acknowledge-high-risk",
    "acknowledged",
    metavar="CODE",
    multiple=True,
    help="Allow this country although Twilio rates it high-risk; may be repeated.",
)


def change_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a change, passed as one argument ``options``."""

    @wraps(command)
    def gathered(**given: Any) -> None:
        options = ChangeOptions(**{one.name: given.pop(one.name) for one in fields(ChangeOptions)})
        command(options=options, **given)

    return _options(gathered)


@dataclass(frozen=True, slots=True)
class ChangeOutcome:
    before: EffectivePolicy
    changed: Changed
    dry_run: bool

    @property
    def is_new(self) -> bool:
        one, other = self.before, self.changed.effective
        if self.dry_run:
            return (one.state, one.inherits) != (other.state, other.inherits)
        return (one.revision, one.inherits) != (other.revision, other.inherits)

    @property
    def rules(self) -> RulesDifference:
        return rules_difference(self.before.state, self.changed.effective.state)

    def as_json(self) -> dict[str, Any]:
        """Return the API's answer to a dry run, with inheritance and rules added."""
        more = {"inherit": self.changed.effective.inherits, "rules": self.rules.as_json()}
        return {"dry_run": self.dry_run} | effect_json(self.changed) | more


def make(opened: OpenedWorkspace, change: PolicyChange, options: ChangeOptions) -> ChangeOutcome:
    """Raises `CommandFailure` (outdated `if_match`, inherited policy) or `ValidationFailed`."""
    before = opened.effective()
    try:
        changed = opened.services.destinations(opened.workspace_id, change, options.request)
    except RevisionMismatch as problem:
        raise options.mismatch(problem) from problem
    except DestinationsInherited as problem:
        remedy = "`borderpost destinations inherit off` leaves it, with a copy of that policy"
        raise CommandFailure(problem.text, remedy) from problem
    return ChangeOutcome(before, changed, options.dry_run)


def echo_outcome(
    opened: OpenedWorkspace,
    outcome: ChangeOutcome,
    *,
    extra: dict[str, Any] | None = None,
    hints: Iterable[str] = (),
) -> None:
    """Print the change or dry run, then hints; ``extra`` is added to the JSON."""
    revision, lines = outcome.changed.effective.revision, []
    said = "dry run, nothing was changed, " if outcome.dry_run else ""
    if outcome.is_new:
        lines += [*change_lines(outcome.changed.changes), *rule_lines(outcome.rules)]
        lines += [] if outcome.changed.impact is None else impact_lines(outcome.changed.impact)
    else:
        said = "nothing to change, "
    head = f"{opened.name}: {said}revision {revision}"
    echo_result(outcome.as_json() | (extra or {}), [head, *lines, *hints])


def change_policy(change: PolicyChange, options: ChangeOptions) -> None:
    with opened_workspace(options.workspace) as opened:
        outcome = make(opened, change, options)
    echo_outcome(opened, outcome)


def country(code: str) -> str:
    return f"{code} {country_name(code)}"


def change_lines(changes: Iterable[CountryChange]) -> Iterator[str]:
    return (difference_line(country(one.country), one.before, one.after) for one in changes)


def difference_line(name: str, before: object, after: object) -> str:
    if before is None:
        return f"+ {name}: {after}"
    return f"- {name}: {before}" if after is None else f"~ {name}: {before} -> {after}"


def rule_lines(rules: RulesDifference) -> Iterator[str]:
    yield from (f"- rule: {rule_text(rule)}" for rule in rules.removed)
    yield from (f"+ rule: {rule_text(rule)}" for rule in rules.added)


def rule_text(rule: Rule) -> str:
    until = "" if rule.expires_at is None else f" until {rfc3339(rule.expires_at)}"
    reason = "" if rule.reason is None else f" ({printable(rule.reason)})"
    return f"{rule.kind} {rule.value} {rule.action}{until}{reason}"


def rule_row(rule: Rule, now: datetime) -> tuple[str, ...]:
    until = ""
    if rule.expires_at is not None:
        until = f"{'until' if rule.is_live(now) else 'expired'} {rfc3339(rule.expires_at)}"
    return str(rule.rule_id), rule.kind, rule.value, rule.action, until, rule.reason or ""


def impact_lines(impact: dict[str, Any]) -> Iterator[str]:
    yield f"of the last {impact['days']} days:"
    for one in impact["would_block"]:
        yield (
            f"  would have been blocked: {country(one['country'])}, "
            f"{one['messages']} messages ({one['segments']} segments)"
        )
    for one in impact["would_release"]:
        yield f"  would have been sent: {country(one['country'])}, {one['refusals']} refused sends"
    if not impact["would_block"] and not impact["would_release"]:
        yield f"  no message of the last {impact['days']} days would be affected"
