"""`guards list`, `set` and `suggest`: the limits of a workspace."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import click

from app.cli.destinations.change import (
    ChangeOptions,
    OpenedWorkspace,
    change_options,
    difference_line,
    opened_workspace,
    workspace_option,
)
from app.cli.group import (
    ID,
    CommandFailure,
    borderpost,
    echo_result,
    json_option,
    options_of,
    table,
)
from app.guards.api import describe, describe_dry_run, describe_suggestion
from app.guards.configuration import configuration_json
from app.guards.edits import (
    NO_LIMIT,
    GuardEdit,
    edit_guards,
    edit_use_case_guards,
    explain_for_text,
    remove_country,
    remove_use_case_guard,
    use_case_differences,
    workspace_differences,
)
from app.guards.limits import (
    FIELDS,
    OF_USE_CASES,
    DeliverySign,
    GuardConfiguration,
    GuardMode,
    GuardName,
    Window,
)
from app.guards.manage import DryRun
from app.guards.suggest import apply_suggestion
from app.kernel.errors import Problems, RevisionMismatch, ValidationFailed
from app.kernel.whole_numbers import read_whole_number

_LIMIT_OPTIONS = (*Window, *FIELDS[GuardName.DELIVERY])


def difference_lines(before: GuardConfiguration, after: GuardConfiguration) -> Iterator[str]:
    found = [("", workspace_differences(before, after))]
    found += [
        (f"use case {use_case_id} ", use_case_differences(before, after, use_case_id))
        for use_case_id in sorted(before.use_cases.keys() | after.use_cases.keys())
    ]
    for owner, differences in found:
        yield from (difference_line(owner + one.path, one.before, one.after) for one in differences)


def guard_impact_lines(impact: Mapping[str, Any]) -> Iterator[str]:
    yield f"of the {impact['messages']} messages of the last {impact['days']} days:"
    for one in impact["would_trip"]:
        done = "refused" if one["mode"] == GuardMode.ENFORCE else "beyond the limit (monitor)"
        of = "use case's" if one["scope"] == "use_case" else "workspace's"
        yield (
            f"  would have been {done}: {one['messages']}, by the {of} {one['guard']} per "
            f"{one['window']}, of {one['values']} different"
        )
    if not impact["would_trip"]:
        yield "  none would have met a limit"


def guard_rows(shown: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    auto = shown.get("auto", {})
    for name, guard in shown["guards"].items():
        yield from _rows_of(name, guard, auto.get(name, {}))
    for use_case_id, own in shown["use_cases"].items():
        yield (f"use case {use_case_id}", "", "")
        for name, guard in own.items():
            for first, *others in _rows_of(name, guard, {}):
                yield (f"  {first}", *others)


def _rows_of(
    name: str, guard: Mapping[str, Any], auto: Mapping[str, Any]
) -> Iterator[tuple[str, ...]]:
    if name == GuardName.DELIVERY:
        below = "no limit" if guard["below"] is None else f"below {guard['below']} %"
        text = f"{below}, baseline {guard['baseline']} %, minimum {guard['minimum']}"
        text += ", counts converted" if "counts" in guard else ""
        yield (name, guard["mode"], text)
        return
    yield (name, guard["mode"], _limits_text(guard, auto))
    for code, limits in guard.get("countries", {}).items():
        yield (f"  {code}", "", _limits_text(limits, auto.get("countries", {}).get(code, auto)))


def _limits_text(limits: Mapping[str, Any], auto: Mapping[str, Any]) -> str:
    found = []
    for window in Window:
        limit = limits.get(window)
        if limit is not None:
            now = f" (now {auto[window]})" if limit == "auto" and window in auto else ""
            found.append(f"{limit} per {window}{now}")
    return ", ".join(found) or "no limit"


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
        """Raises `click.UsageError`: naming an option that does not fit the guard."""
        guard = self.guard
        known = FIELDS[guard]
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


def _change(opened: OpenedWorkspace, edit: GuardEdit, options: ChangeOptions) -> None:
    """Make and print a change.

    Raises `CommandFailure` (outdated `if_match`, unknown use case, no prices).
    """
    before = opened.services.guards.load(opened.workspace_id).stored.configuration
    operation = opened.services.guards.dry_run if options.dry_run else opened.services.guards.change
    try:
        done = operation(opened.workspace_id, edit, options.request)
    except RevisionMismatch as problem:
        raise options.mismatch(problem) from problem
    except ValidationFailed as problem:
        raise CommandFailure(*_explain(problem, opened)) from problem
    if isinstance(done, DryRun):
        shown, after, revision = describe_dry_run(done), done.configuration, done.revision
        said, impact = "dry run, nothing was changed, ", [*guard_impact_lines(shown["impact"])]
    else:
        shown, after, revision = describe(done), done.stored.configuration, done.stored.revision
        said, impact = "", []
    lines = [*difference_lines(before, after)]
    said = said if lines else "nothing to change, "
    echo_result(shown, [f"{opened.name}: {said}revision {revision}", *lines, *impact])


def _explain(wrong: ValidationFailed, opened: OpenedWorkspace) -> Iterator[str]:
    for path, texts in (wrong.details or {}).items():
        at = path
        if path.startswith("$.use_cases."):
            at = f"--use-case {path.removeprefix('$.use_cases.')} of {opened.name}"
        yield from (f"{at}: {explain_for_text(text)}" for text in texts)


@borderpost.group("guards")
def guards_group() -> None:
    """Limits that stop a flood or a spend before the provider is called."""


@guards_group.command("list")
@workspace_option
@json_option
def list_command(*, workspace: str | None) -> None:
    """Show the guards of a workspace and of its use cases, and the current value of `auto`."""
    with opened_workspace(workspace) as opened:
        view = opened.services.guards.load(opened.workspace_id)
    shown, head = describe(view), f"{opened.name}: revision {view.stored.revision}"
    echo_result(shown, [head, *table(guard_rows(shown))])


def _limit_option(name: str) -> Callable[[Any], Any]:
    metavar, text = "N", f"Setting `{name}` of the guard delivery."
    if name not in FIELDS[GuardName.DELIVERY]:
        most = f"N, a number from 1, auto or {NO_LIMIT}"
        text = f"Limit per {name}: {most}; in spend an amount, for example 25.00."
    elif name == "counts":
        metavar = "SIGN"
        text = f"The sign of success for the guard delivery: {' or '.join(DeliverySign)}."
    return click.option(f"--{name}", metavar=metavar, help=text)


@guards_group.command("set")
@click.argument("guard", metavar="GUARD", type=click.Choice([name.value for name in GuardName]))
@click.option("--use-case", type=ID, help="Set the guard of this use case.")
@click.option("--mode", type=click.Choice([mode.value for mode in GuardMode]))
@options_of(*map(_limit_option, _LIMIT_OPTIONS))
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
        _change(opened, wanted.edit, options)


@guards_group.command("suggest")
@click.option("--apply", "is_applied", is_flag=True, help="Change the guards to what is suggested.")
@workspace_option
@json_option
def suggest_command(*, is_applied: bool, workspace: str | None) -> None:
    """Suggest limits that fit the messages of the last 15 days."""
    with opened_workspace(workspace) as opened:
        revision = opened.services.guards.load(opened.workspace_id).stored.revision
        found = opened.services.guards.suggest(opened.workspace_id)
        if is_applied:
            options = ChangeOptions(workspace, False, None, revision)
            _change(opened, lambda current, _: apply_suggestion(current, found), options)
            return
    lines = [
        f"{opened.name}: suggested from {found.messages} messages of 15 days",
        *table(guard_rows(configuration_json(found.configuration))),
        "`borderpost guards suggest --apply` sets them",
    ]
    echo_result(describe_suggestion(found), lines)
