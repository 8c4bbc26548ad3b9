"""Text and JSON of the comparison with Twilio's geo permissions."""

import textwrap
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from app.destinations.geo_permissions.check import Checked
from app.destinations.geo_permissions.permissions import GeoPermissions
from app.kernel.clock import rfc3339
from app.kernel.countries import country_name

CONSOLE = "Twilio's Console (Messaging > Settings > Geo permissions, Owner or Admin)"
_WIDTH = 100
_FEW = 12  # above this, codes are printed without names


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
