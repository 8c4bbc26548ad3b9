"""The workspace of a command, with the operations on its policy."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import click
from sqlalchemy import Connection

from app.bootstrap import open_services, open_settings
from app.cli.context import ready_database
from app.cli.scopes import find_workspace_or_only
from app.db.engine import Database
from app.db.rows import AnyRow
from app.destinations.manage import ManageDestinations
from app.destinations.storage.policies import EffectivePolicy, load_effective
from app.guards.manage import ManageGuards
from app.kernel.clock import Clock, utc_now
from app.providers.port import GeoFacts

workspace_option = click.option(
    "--workspace", metavar="NAME|ID", help="The workspace; may be left out where there is one."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


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
