"""Text and JSON of readiness and of proposed geo permission changes."""

from collections.abc import Iterator, Sequence
from typing import Any

from app.cli.geo_format import CONSOLE, named
from app.destinations.geo_permissions.check import Checked
from app.destinations.geo_permissions.push import Pushed
from app.destinations.geo_permissions.readiness import Blocker, CountryBlocker
from app.kernel.countries import country_name
from app.providers.port import ItemOutcome, WantedPermission

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


def ready_row(country: str, checked: Checked, shut: Sequence[CountryBlocker]) -> dict[str, Any]:
    """`ready` is null if Twilio could not be asked."""
    unknown = checked.problem is not None and not shut
    return {
        "country": country,
        "workspace": {"id": str(checked.target.workspace_id), "name": checked.target.name},
        "ready": None if unknown else not shut,
        "shut": [{"gate": gate.blocker.value, "why": gate.why} for gate in shut],
        "problem": None if checked.problem is None else str(checked.problem),
    }


def ready_lines(country: str, checked: Checked, shut: Sequence[CountryBlocker]) -> Iterator[str]:
    at_least = "ready" if checked.problem is None else "not known"
    answer = "not ready" if shut else at_least
    yield f"{country} {country_name(country)}, {checked.target.name}: {answer}"
    for gate in shut:
        remedy = _REMEDY.get(gate.blocker)
        see = "" if remedy is None else f" ({remedy})"
        yield f"  {_WHO[gate.blocker]}: {gate.why}{see}"
    if checked.problem is not None:
        yield f"  check failed: {checked.problem}"


def push_row(pushed: Pushed) -> dict[str, Any]:
    plan = pushed.plan
    if pushed.outcomes is None:
        changes = [_item(wanted) for wanted in plan.changes]
    else:
        changes = [_outcome(one) for one in pushed.outcomes]
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


def _outcome(one: ItemOutcome) -> dict[str, Any]:
    return {**_item(one.wanted), "applied": one.problem is None, "problem": one.problem}


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
