"""`destinations allow` and `destinations block`, and their hints."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import click
from sqlalchemy import Connection

from app.cli.destinations.change import echo_outcome, make
from app.cli.destinations.format import country
from app.cli.destinations.options import (
    ChangeOptions,
    acknowledge_option,
    change_options,
    ending_options,
    opened_workspace,
)
from app.cli.group import Command
from app.cli.input import ending
from app.destinations import changes
from app.destinations.geo_permissions.permissions import load_geo_permissions
from app.destinations.policy.evaluate import Access
from app.destinations.policy.state import country_accesses
from app.destinations.policy.territories import has_numbers, hints_for
from app.destinations.storage.policies import EffectivePolicy
from app.providers.port import GeoFacts


@dataclass(frozen=True, slots=True)
class Hints:
    """``separate`` maps an allowed country to its territories."""

    separate: dict[str, tuple[str, ...]]
    without_numbers: tuple[str, ...]
    unsupported: tuple[str, ...]
    closed_at_provider: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "separate": {code: list(codes) for code, codes in self.separate.items()},
            "without_numbers": list(self.without_numbers),
            "unsupported": list(self.unsupported),
            "closed_at_provider": list(self.closed_at_provider),
        }

    def lines(self, *, dry_run: bool) -> Iterator[str]:
        allowed = "would be allowed" if dry_run else "is allowed"
        for code, codes in self.separate.items():
            are, them = ("is", "it") if len(codes) == 1 else ("are", "them")
            yield f"{code} {allowed}; {', '.join(codes)} {are} separate: allow {them} by name"
        for code in self.without_numbers:
            yield f"{country(code)} has no phone numbers: nothing can be sent there"
        for code in self.unsupported:
            yield f"{country(code)}: not supported by Twilio"
        for code in self.closed_at_provider:
            yield f"{country(code)} is blocked at Twilio (last check): see `borderpost geo check`"


def hints_about(
    connection: Connection,
    codes: Sequence[str],
    effective: EffectivePolicy,
    facts: GeoFacts,
    now: datetime,
) -> Hints:
    geo_permissions = load_geo_permissions(connection, effective.workspace_id, facts)
    named = country_accesses(effective.state, now)
    separate = {
        code: tuple(one for one in others if named.get(one) != Access.ALLOWED)
        for code, others in hints_for(codes).items()
    }
    once = list(dict.fromkeys(codes))
    return Hints(
        separate={code: others for code, others in separate.items() if others},
        without_numbers=tuple(code for code in once if not has_numbers(code)),
        unsupported=tuple(code for code in once if geo_permissions.is_unsupported(code)),
        closed_at_provider=tuple(
            code
            for code in once
            if not geo_permissions.is_unsupported(code) and geo_permissions.is_closed(code)
        ),
    )


_codes = click.argument("codes", metavar="CODE...", nargs=-1, required=True)


@click.command("allow", cls=Command)
@_codes
@ending_options
@acknowledge_option
@change_options
def allow_command(
    *,
    codes: tuple[str, ...],
    until: datetime | None,
    lasting: timedelta | None,
    acknowledged: tuple[str, ...],
    options: ChangeOptions,
) -> None:
    """Allow countries, permanently or until a time.

    Removes a rule that blocks one of them as a whole; rules for prefixes and numbers stay.
    """
    with opened_workspace(options.workspace) as opened:
        ends_at = ending(opened.now, until, lasting)
        reason = None if ends_at is None else options.reason
        outcome = make(
            opened, changes.AllowCountries(codes, acknowledged, ends_at, reason), options
        )
        with opened.database.reading() as connection:
            effective = outcome.changed.effective
            hints = hints_about(connection, codes, effective, opened.geo_facts, opened.now)
    lines = hints.lines(dry_run=options.dry_run)
    echo_outcome(opened, outcome, options, extra=hints.as_json(), hints=lines)


@click.command("block", cls=Command)
@_codes
@change_options
def block_command(*, codes: tuple[str, ...], options: ChangeOptions) -> None:
    """Block countries from the next send on.

    Removes a rule that allows one of them as a whole; rules for prefixes and numbers stay.
    """
    with opened_workspace(options.workspace) as opened:
        outcome = make(opened, changes.BlockCountries(codes), options)
    echo_outcome(opened, outcome, options)
