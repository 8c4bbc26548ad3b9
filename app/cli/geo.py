"""`geo`: compare Twilio's geo permissions with the policies."""

import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import click

from app.bootstrap import open_cipher, open_provider, open_settings
from app.cli.context import linked_workspace_id, ready_database, record_command
from app.cli.group import FAILED, CommandFailure, borderpost, echo_result, json_option, printable
from app.destinations.geo_permissions.check import Checked, CheckProvider, Pushed, PushToProvider
from app.destinations.geo_permissions.permissions import (
    Blocker,
    CountryBlocker,
    GeoPermissions,
    find_blockers,
)
from app.kernel.clock import Clock, rfc3339
from app.kernel.countries import country_name, is_country
from app.providers.port import ItemOutcome, WantedPermission

CONSOLE = "Twilio's Console (Messaging > Settings > Geo permissions, Owner or Admin)"
_WIDTH = 100
_FEW = 12  # above this, codes are printed without names
_WHO = {
    Blocker.NO_NUMBERS: "nobody",
    Blocker.UNSUPPORTED: "Twilio",
    Blocker.ORGANIZATION: "the organization",
    Blocker.WORKSPACE: "the workspace",
    Blocker.PROVIDER: "Twilio",
}
_REMEDY = {
    Blocker.ORGANIZATION: "see denied_destinations in the file of `borderpost apply`",
    Blocker.WORKSPACE: "see `borderpost destinations`",
    Blocker.PROVIDER: "`borderpost geo push` shows how to open it",
}
_DIFFERS = 2
_NO_ACCOUNT = "no workspace has a Twilio account"
_workspace = click.option("--workspace", metavar="NAME|ID", help="Only this workspace.")


def check_row(checked: Checked) -> dict[str, Any]:
    """If the check failed, the lists are the last known."""
    problem = None if checked.problem is None else str(checked.problem)
    target = checked.target
    head = {"id": str(target.workspace_id), "name": target.name}
    return {**head, **checked.view.as_json(), "problem": problem}


def check_lines(checked: Checked) -> Iterator[str]:
    name, view = checked.target.name, checked.view
    if checked.problem is not None:
        last = "never checked" if view.checked_at is None else f"last {rfc3339(view.checked_at)}"
        yield f"{name}: check failed: {checked.problem} ({last})"
        return
    found = view.comparison
    yield f"{name}: {'Twilio and the policy differ' if found.differs else 'Twilio agrees'}"
    if found.allowed_here_closed_there:
        code = view.geo_permissions.facts.error_code
        yield f"  allowed here, blocked at Twilio: messages fail with {code}"
        yield from _grouped(
            found.allowed_here_closed_there, lambda c: _to_open(c, view.geo_permissions)
        )
    if found.closed_here_open_there:
        yield "  blocked here, allowed at Twilio: exposed if a Twilio key leaks"
        yield from _grouped(
            found.closed_here_open_there, lambda c: _to_close(c, view.geo_permissions, view.allowed)
        )
    if found.high_risk:
        yield "  high-risk (Twilio), allowed here or at Twilio"
        yield from _grouped(found.high_risk, lambda _: "keep them only if you need them")


def _to_open(country: str, geo_permissions: GeoPermissions) -> str:
    if geo_permissions.is_unsupported(country):
        return "Twilio refuses these for everybody: block them here"
    if geo_permissions.is_high_risk(country):
        return f"high-risk: open them in {CONSOLE}, or block them here"
    return "open them with `borderpost geo push --yes`, or block them here"


def _to_close(country: str, geo_permissions: GeoPermissions, allowed: frozenset[str]) -> str:
    entry = geo_permissions.entry_of(country)
    if entry is not None and entry != country and entry in allowed:
        return f"Twilio has one permission for these and {entry}: allow them here, or leave it so"
    if geo_permissions.is_high_risk(country):
        return f"high-risk: close them in {CONSOLE}, or allow them here"
    return "close them with `borderpost geo push --yes`, or allow them here"


def _grouped(countries: Iterable[str], remedy: Callable[[str], str]) -> Iterator[str]:
    by_remedy: dict[str, list[str]] = {}
    for country in countries:
        by_remedy.setdefault(remedy(country), []).append(country)
    for wanted, together in by_remedy.items():
        yield f"    {wanted}"
        yield from textwrap.wrap(
            named(together), _WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6
        )


def named(countries: list[str]) -> str:
    if len(countries) > _FEW:
        return " ".join(countries)
    return ", ".join(f"{country} {country_name(country)}" for country in countries)


def ready_row(country: str, checked: Checked, blockers: Sequence[CountryBlocker]) -> dict[str, Any]:
    """`ready` is null if Twilio could not be asked."""
    unknown = checked.problem is not None and not blockers
    return {
        "country": country,
        "workspace": {"id": str(checked.target.workspace_id), "name": checked.target.name},
        "ready": None if unknown else not blockers,
        "shut": [{"gate": one.blocker.value, "why": one.why} for one in blockers],
        "problem": None if checked.problem is None else str(checked.problem),
    }


def ready_lines(
    country: str, checked: Checked, blockers: Sequence[CountryBlocker]
) -> Iterator[str]:
    at_least = "ready" if checked.problem is None else "not known"
    answer = "not ready" if blockers else at_least
    yield f"{country} {country_name(country)}, {checked.target.name}: {answer}"
    for one in blockers:
        remedy = _REMEDY.get(one.blocker)
        see = "" if remedy is None else f" ({remedy})"
        yield f"  {_WHO[one.blocker]}: {one.why}{see}"
    if checked.problem is not None:
        yield f"  check failed: {checked.problem}"


def push_row(pushed: Pushed) -> dict[str, Any]:
    plan = pushed.plan
    if pushed.outcomes is None:
        changes = [_item(wanted) for wanted in plan.changes]
    else:
        changes = [
            _item(one.wanted) | {"applied": one.problem is None, "problem": one.problem}
            for one in pushed.outcomes
        ]
    return {
        "account_sid": pushed.account_sid,
        "workspaces": list(pushed.workspaces),
        "changes": changes,
        "console_only": [_item(wanted) for wanted in plan.console_only],
        "unsupported": list(plan.unsupported),
        "problem": pushed.problem,
    }


def _item(wanted: WantedPermission) -> dict[str, Any]:
    return {"country_code": wanted.country, "type": "country", "enabled": wanted.is_open}


def push_lines(pushed: Pushed, *, is_applied: bool) -> Iterator[str]:
    plan = pushed.plan
    yield f"{pushed.account_sid} ({', '.join(pushed.workspaces)})"
    if pushed.problem is not None:
        yield f"  check failed: {pushed.problem}"
    for one in pushed.outcomes or [ItemOutcome(wanted) for wanted in plan.changes]:
        done = f": {one.problem or 'done'}" if pushed.outcomes is not None else ""
        yield f"  {_verb(one.wanted)} {named([one.wanted.country])}{done}"
    for wanted in plan.console_only:
        yield f"  {_verb(wanted)} {named([wanted.country])}: high-risk, only in {CONSOLE}"
    for country in plan.unsupported:
        yield f"  {named([country])}: not supported by Twilio: block it here"
    if not (pushed.problem or plan.changes):
        yield "  nothing to change with Twilio's API"
    elif plan.changes and not is_applied:
        yield "  nothing was changed: `borderpost geo push --yes` applies these changes"


def _verb(wanted: WantedPermission) -> str:
    return "open " if wanted.is_open else "close"


@borderpost.group("geo")
def geo_group() -> None:
    """Twilio's geo permissions, which apply after the policies here."""


@geo_group.command("check")
@_workspace
@json_option
def check_command(workspace: str | None) -> None:
    """Ask Twilio, and compare its geo permissions with the policy of each workspace.

    Exits 0 if they agree, 2 if they differ, 1 if Twilio could not be asked for a workspace. Each
    workspace is asked with its own credentials. Changes nothing at Twilio.
    """
    with _opened(workspace) as (check, workspace_id):
        checked = check(workspace_id)
    lines = (line for one in checked for line in check_lines(one))
    shown = {"workspaces": [check_row(one) for one in checked]}
    echo_result(shown, map(printable, lines) if checked else [_NO_ACCOUNT])
    differs = any(one.view.comparison.differs for one in checked)
    sys.exit(_exit_code(checked, otherwise=_DIFFERS if differs else 0))


@geo_group.command("ready")
@click.argument("countries", nargs=-1, required=True, metavar="COUNTRY...")
@_workspace
@json_option
def ready_command(countries: tuple[str, ...], workspace: str | None) -> None:
    """Check whether each COUNTRY can be reached today, and if not, what blocks it. Asks Twilio.

    Exits 0 if all are ready, 2 if one is not, 1 if Twilio could not be asked.
    """
    wrong = [code for code in countries if not is_country(code)]
    if wrong:
        text = "must be ISO 3166-1 alpha-2 codes in upper case, not"
        raise click.BadParameter(f"{text} {', '.join(wrong)}", param_hint="COUNTRY")
    with _opened(workspace) as (check, workspace_id):
        now = check.clock.now()
        found = [
            (code, one, _blockers(one, code, now))
            for one in check(workspace_id)
            for code in dict.fromkeys(countries)
        ]
    if not found:
        raise CommandFailure(_NO_ACCOUNT)
    shown = {"countries": [ready_row(*one) for one in found]}
    echo_result(shown, map(printable, (line for one in found for line in ready_lines(*one))))
    is_ready = not any(blockers for _, _, blockers in found)
    sys.exit(_exit_code([one for _, one, _ in found], otherwise=0 if is_ready else _DIFFERS))


@geo_group.command("push")
@_workspace
@click.option("--yes", is_flag=True, help="Change Twilio. Without it, changes are only proposed.")
@json_option
def push_command(workspace: str | None, yes: bool) -> None:
    """Propose the changes that align Twilio's geo permissions; --yes makes them.

    Opens countries that are allowed here and closed there; closes those that no workspace of the
    account allows. Exits 1 if Twilio could not be asked or refused an item.
    """
    with _opened(workspace) as (check, workspace_id):
        pushed = PushToProvider(check)(workspace_id, apply=yes)
        changed = [one for one in pushed if one.outcomes is not None]
        if changed:
            accounts = ", ".join(one.account_sid for one in changed)
            record_command(check.database, "geo.pushed", f"asked Twilio to change {accounts}")
    lines = (line for one in pushed for line in push_lines(one, is_applied=yes))
    shown = {"applied": yes, "accounts": [push_row(one) for one in pushed]}
    echo_result(shown, map(printable, lines) if pushed else [_NO_ACCOUNT])
    sys.exit(0 if all(one.is_done for one in pushed) else FAILED)


@contextmanager
def _opened(workspace: str | None) -> Iterator[tuple[CheckProvider, UUID | None]]:
    settings = open_settings()
    provider = open_provider(settings, open_cipher(settings))
    with ready_database(settings) as database:
        with database.reading() as connection:
            workspace_id = linked_workspace_id(connection, workspace)
        yield CheckProvider(database, provider.geo, Clock()), workspace_id


def _blockers(checked: Checked, country: str, now: datetime) -> list[CountryBlocker]:
    """List the blockers of a country; Twilio's only if it was asked today."""
    geo_permissions, is_suspended = checked.view.geo_permissions, checked.target.is_suspended
    found = find_blockers(
        checked.effective, geo_permissions, country, now, is_suspended=is_suspended
    )
    if checked.problem is None:
        return found
    return [one for one in found if one.blocker is not Blocker.PROVIDER]


def _exit_code(checked: list[Checked], *, otherwise: int) -> int:
    return FAILED if any(one.problem is not None for one in checked) else otherwise
