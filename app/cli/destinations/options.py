"""Options of every change: reason, `--if-match` and dry run."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any
from uuid import UUID

import click
from sqlalchemy import Connection

from app.bootstrap import open_services, open_settings
from app.cli.context import command_line_actor, ready_database
from app.cli.group import CommandFailure, json_option
from app.cli.input import DurationParam, TimeParam, WholeNumberParam
from app.cli.scopes import find_workspace_or_only
from app.db.engine import Database
from app.db.rows import AnyRow
from app.destinations.manage import ChangeRequest, ManageDestinations
from app.destinations.storage.policies import EffectivePolicy, load_effective
from app.guards.manage import ManageGuards
from app.kernel.clock import Clock, utc_now
from app.kernel.errors import RevisionMismatch
from app.providers.port import GeoFacts

workspace_option = click.option(
    "--workspace", metavar="NAME|ID", help="The workspace; may be left out where there is one."
)


@dataclass(frozen=True, slots=True)
class OpenedWorkspace:
    row: AnyRow
    database: Database
    manage: ManageDestinations
    guards: ManageGuards
    geo_facts: GeoFacts
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
        with self.database.reading() as own:
            return load_effective(own, self.workspace_id)


@contextmanager
def opened_workspace(name_or_id: str | None) -> Iterator[OpenedWorkspace]:
    """Yield the named workspace, or the only one; raises `CommandFailure`."""
    settings = open_settings()
    with ready_database(settings) as database:
        services = open_services(settings, clock=Clock(utc_now), database=database)
        with database.reading() as connection:
            row = find_workspace_or_only(connection, name_or_id)
        yield OpenedWorkspace(
            row,
            database,
            services.destinations,
            services.guards,
            services.geo_facts,
            services.clock.now(),
        )


MAX_REVISION = 2**31 - 1
_MAX_REASON = 500


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
    as_json: bool

    @property
    def request(self) -> ChangeRequest:
        if_match = None if self.if_match is None else frozenset({self.if_match})
        return ChangeRequest(command_line_actor(), self.reason, if_match, self.dry_run)

    def mismatch(self, problem: RevisionMismatch) -> CommandFailure:
        found = (problem.details or {}).get("revision")
        return CommandFailure(
            f"the current revision is {found}, not {self.if_match}: nothing was changed"
        )


_OPTIONS = (
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
    def gathered(
        *,
        workspace: str | None,
        dry_run: bool,
        reason: str | None,
        if_match: int | None,
        as_json: bool,
        **others: Any,
    ) -> None:
        command(options=ChangeOptions(workspace, dry_run, reason, if_match, as_json), **others)

    for option in reversed(_OPTIONS):
        gathered = option(gathered)
    return gathered


def ending_options(command: Callable[..., None]) -> Callable[..., None]:
    lasting = click.option(
        "--for", "lasting", type=DurationParam(), help="How long it lasts, for example 2h."
    )
    until = click.option("--until", type=TimeParam(), help="When it expires.")
    return until(lasting(command))
