"""Changing guards: one transaction with revision check, history and audit.

API, console, commands and provisioning all change guards here.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import Connection

from app.db.engine import Database
from app.destinations.manage import Asked
from app.destinations.store import lock_policy
from app.guards.limits import AutoLimits, GuardConfiguration
from app.guards.store import StoredGuards, find_use_cases, load_guards, write_guards
from app.kernel.clock import Clock
from app.kernel.errors import RevisionMismatch
from app.kernel.problems import Problems
from app.prices.store import load_prices

_CHANGED_SINCE = "The guards were changed since the revision in If-Match."
_NO_PRICES = (
    "A spend limit needs prices, and there are none yet: import or refresh them first "
    "(borderpost prices import)."
)
# Takes the current configuration and adds what is wrong with the wanted one.
GuardEdit = Callable[[GuardConfiguration, Problems], GuardConfiguration]


@dataclass(frozen=True, slots=True)
class GuardsView:
    """A configuration, and what "auto" means in it now."""

    stored: StoredGuards
    auto: AutoLimits


@dataclass(frozen=True, slots=True)
class ManageGuards:
    """The operation behind every change of guards."""

    database: Database
    clock: Clock

    def load(self, workspace_id: UUID) -> GuardsView:
        """Load the guards of a workspace.

        Raises:
            NotFound: there is no such workspace.
        """
        with self.database.reading() as connection:
            return self._view(load_guards(connection, workspace_id))

    def change(self, workspace_id: UUID, edit: GuardEdit, asked: Asked) -> GuardsView:
        """Make a change.

        Raises:
            NotFound: there is no such workspace.
            RevisionMismatch: ``If-Match`` does not name the current revision.
            ValidationFailed: the change is not valid.
        """
        with self.database.writing() as connection:
            return self.change_within(connection, workspace_id, edit, asked)

    def change_within(
        self, connection: Connection, workspace_id: UUID, edit: GuardEdit, asked: Asked
    ) -> GuardsView:
        """Make a change inside the caller's transaction; raises as `change`."""
        lock_policy(connection, workspace_id)
        before = load_guards(connection, workspace_id)
        wanted = self._wanted(connection, before, edit, asked)
        if wanted == before.configuration:
            return self._view(before)
        now = self.clock.now()
        write_guards(connection, before, wanted, asked, now)
        revision = before.revision + 1
        return self._view(replace(before, revision=revision, updated_at=now, configuration=wanted))

    def _wanted(
        self, connection: Connection, before: StoredGuards, edit: GuardEdit, asked: Asked
    ) -> GuardConfiguration:
        if asked.if_match is not None and before.revision not in asked.if_match:
            raise RevisionMismatch(_CHANGED_SINCE, details={"revision": before.revision})
        problems = Problems()
        wanted = edit(before.configuration, problems)
        known = find_use_cases(connection, before.workspace_id)
        for use_case_id in wanted.use_cases.keys() - known:
            problems.add(f"$.use_cases.{use_case_id}", "There is no such use case.")
        if wanted.guards.has_spend_limit() and load_prices(connection).currency is None:
            problems.add("$.guards.spend", _NO_PRICES)
        problems.refuse()
        return wanted

    def _view(self, stored: StoredGuards) -> GuardsView:
        return GuardsView(stored, AutoLimits())
