"""`guards list`, `set` and `suggest`: the limits of a workspace."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import click

from app.cli.context import command_line_actor
from app.cli.destinations.options import (
    ChangeOptions,
    OpenedWorkspace,
    change_options,
    opened_workspace,
    workspace_option,
)
from app.cli.group import CommandFailure, Group, echo_result, json_option, table
from app.cli.guard_lines import difference_lines, guard_impact_lines, guard_rows
from app.cli.input import IdParam
from app.destinations.manage import ChangeRequest
from app.guards.api import describe, describe_dry_run, describe_suggestion
from app.guards.configuration import configuration_json
from app.guards.edits import (
    NO_LIMIT,
    edit_guards,
    edit_use_case_guards,
    explain_for_text,
    remove_country,
    remove_use_case_guard,
)
from app.guards.limits import (
    OF_USE_CASES,
    WINDOWS,
    DeliverySign,
    GuardConfiguration,
    GuardMode,
    GuardName,
    Window,
)
from app.guards.manage import DryRun, GuardEdit, GuardsView
from app.guards.suggest import apply_suggestion
from app.kernel.errors import RevisionMismatch, ValidationFailed
from app.kernel.problems import Problems
from app.kernel.whole_numbers import read_whole_number

_OF_DELIVERY = ("below", "baseline", "minimum", "counts")
_LIMIT_OPTIONS = (*Window, *_OF_DELIVERY)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The options of `guards set`; limits are unparsed, by option name."""

    guard: GuardName
    use_case_id: UUID | None
    country: str | None
    mode: str | None
    limits: Mapping[str, str]
    is_removal: bool

    def check(self) -> None:
        """Check that the options fit the guard.

        Raises `click.UsageError`: naming the option.
        """
        guard = self.guard
        known = _OF_DELIVERY if guard is GuardName.DELIVERY else tuple(WINDOWS[guard])
        options = " and ".join(f"--{name}" for name in known)
        for name in self.limits:
            if name not in known:
                raise click.UsageError(
                    f"--{name}: the guard {guard} has no such limit; it has {options}."
                )
        if self.country is not None and guard is not GuardName.COUNTRY:
            raise click.UsageError(f"--country: only the guard country has it, not {guard}.")
        if self.use_case_id is not None and guard not in OF_USE_CASES:
            of = ", ".join(OF_USE_CASES)
            raise click.UsageError(f"--use-case: use cases have their own {of}, not {guard}.")
        is_change = self.mode is not None or bool(self.limits)
        if self.is_removal and (is_change or not (self.country or self.use_case_id)):
            raise click.UsageError("--remove goes with --country or --use-case, and nothing else.")
        if not (self.is_removal or is_change or self.country):
            raise click.UsageError(f"Name what to change: --mode, {options}.")
        problems = Problems()
        self.edit(GuardConfiguration(), problems)
        try:
            problems.refuse()
        except ValidationFailed as wrong:
            raise click.UsageError("\n".join(self._texts(wrong))) from wrong

    def _texts(self, wrong: ValidationFailed) -> Iterator[str]:
        for path, texts in (wrong.details or {}).items():
            last = path.rpartition(".")[2]
            option = last if last in {"mode", *_LIMIT_OPTIONS} else "country"
            yield from (f"--{option}: {explain_for_text(text)}" for text in texts)

    def edit(self, current: GuardConfiguration, problems: Problems) -> GuardConfiguration:
        if self.is_removal:
            if self.country is not None:
                return remove_country(current, self.use_case_id, self.country)
            assert self.use_case_id is not None  # noqa: S101
            return remove_use_case_guard(current, self.use_case_id, self.guard)
        limits: dict[str, Any] = {key: self._value(text) for key, text in self.limits.items()}
        given: dict[str, Any] = limits
        if self.country is not None:
            given = {"countries": {self.country: limits}}
        if self.mode is not None:
            given["mode"] = self.mode
        one = {self.guard.value: given}
        if self.use_case_id is None:
            return edit_guards(current, one, "$.guards", problems)
        at = f"$.use_cases.{self.use_case_id}"
        return edit_use_case_guards(current, self.use_case_id, one, at, problems)

    def _value(self, text: str) -> str | int:
        number = None if self.guard is GuardName.SPEND else read_whole_number(text)
        return text if number is None else number


@dataclass
class _Change:
    edit: GuardEdit
    before: GuardConfiguration = field(default_factory=GuardConfiguration)

    def make(self, opened: OpenedWorkspace, options: ChangeOptions) -> GuardsView | DryRun:
        """Raises `CommandFailure` (outdated `if_match`, unknown use case, no prices)."""
        if_match = None if options.if_match is None else frozenset({options.if_match})
        asked = ChangeRequest(command_line_actor(), options.reason, if_match, options.dry_run)
        operation = opened.guards.dry_run if options.dry_run else opened.guards.change
        try:
            return operation(opened.workspace_id, self._edit, asked)
        except RevisionMismatch as problem:
            raise options.mismatch(problem) from problem
        except ValidationFailed as problem:
            raise CommandFailure(*_explain(problem, opened)) from problem

    def _edit(self, current: GuardConfiguration, problems: Problems) -> GuardConfiguration:
        self.before = current
        return self.edit(current, problems)


def _explain(wrong: ValidationFailed, opened: OpenedWorkspace) -> Iterator[str]:
    for path, texts in (wrong.details or {}).items():
        at = path
        if path.startswith("$.use_cases."):
            at = f"--use-case {path.removeprefix('$.use_cases.')} of {opened.name}"
        yield from (f"{at}: {explain_for_text(text)}" for text in texts)


@click.group("guards", cls=Group)
def guards_group() -> None:
    """Limits that stop a flood or a spend before the provider is called."""


@guards_group.command("list")
@workspace_option
@json_option
def list_command(*, workspace: str | None, as_json: bool) -> None:
    """Show the guards of a workspace and of its use cases, and the current value of `auto`."""
    with opened_workspace(workspace) as opened:
        view = opened.guards.load(opened.workspace_id)
    shown, head = describe(view), f"{opened.name}: revision {view.stored.revision}"
    echo_result(shown, [head, *table(guard_rows(shown))], as_json=as_json)


def _limit_options(command: Any) -> Any:
    for name in reversed(_LIMIT_OPTIONS):
        most = f"N, a number from 1, auto or {NO_LIMIT}"
        of = f"Limit per {name}: {most}; in spend an amount, for example 25.00."
        if name in _OF_DELIVERY:
            of = f"Of the guard delivery: `{name}`."
        metavar = "SIGN" if name == "counts" else "N"
        if name == "counts":
            of = f"The sign of success for the guard delivery: {' or '.join(DeliverySign)}."
        command = click.option(f"--{name}", metavar=metavar, help=of)(command)
    return command


@guards_group.command("set")
@click.argument("guard", metavar="GUARD", type=click.Choice([name.value for name in GuardName]))
@click.option("--use-case", type=IdParam(), help="Set the guard that this use case has of its own.")
@click.option("--mode", type=click.Choice([mode.value for mode in GuardMode]))
@_limit_options
@click.option("--country", metavar="CC", help="Set the limits of this country; GUARD is country.")
@click.option(
    "--remove", is_flag=True, help="Remove the limits of --country, or the guard of --use-case."
)
@change_options
def set_command(
    *,
    guard: str,
    use_case: UUID | None,
    mode: str | None,
    country: str | None,
    remove: bool,
    options: ChangeOptions,
    **limits: str | None,
) -> None:
    """Change one guard; settings without an option keep their value.

    GUARD is number, prefix, country, workspace, spend or delivery.
    """
    given = {name: text for name, text in limits.items() if text is not None}
    wanted = _Wanted(GuardName(guard), use_case, country, mode, given, remove)
    wanted.check()
    with opened_workspace(options.workspace) as opened:
        change = _Change(wanted.edit)
        done = change.make(opened, options)
    _echo_change(opened, change.before, done, options)


@guards_group.command("suggest")
@click.option("--apply", "is_applied", is_flag=True, help="Change the guards to what is suggested.")
@workspace_option
@json_option
def suggest_command(*, is_applied: bool, workspace: str | None, as_json: bool) -> None:
    """Suggest limits that fit the messages of the last 15 days."""
    with opened_workspace(workspace) as opened:
        revision = opened.guards.load(opened.workspace_id).stored.revision
        found = opened.guards.suggest(opened.workspace_id)
        options = ChangeOptions(workspace, not is_applied, None, revision, as_json)
        if is_applied:
            change = _Change(lambda current, _: apply_suggestion(current, found))
            done = change.make(opened, options)
    if is_applied:
        _echo_change(opened, change.before, done, options)
        return
    lines = [
        f"{opened.name}: suggested from {found.messages} messages of 15 days",
        *table(guard_rows(configuration_json(found.configuration))),
        "`borderpost guards suggest --apply` sets them",
    ]
    echo_result(describe_suggestion(found), lines, as_json=as_json)


def _echo_change(
    opened: OpenedWorkspace,
    before: GuardConfiguration,
    done: GuardsView | DryRun,
    options: ChangeOptions,
) -> None:
    if isinstance(done, DryRun):
        shown, after, revision = describe_dry_run(done), done.configuration, done.revision
        said, impact = "dry run, nothing was changed, ", [*guard_impact_lines(shown["impact"])]
    else:
        shown, after, revision = describe(done), done.stored.configuration, done.stored.revision
        said, impact = "", []
    lines = [*difference_lines(before, after)]
    said = said if lines else "nothing to change, "
    head = f"{opened.name}: {said}revision {revision}"
    echo_result(shown, [head, *lines, *impact], as_json=options.as_json)
