"""The view model of Manage Destinations."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from app.access.roles import Role
from app.access.store import load_workspace
from app.console.country_options import sort_key
from app.console.language import visitor_language
from app.db.rows import AnyRow
from app.destinations.check import load_gates
from app.destinations.load import Effective, load_effective
from app.destinations.policy import Access, Rule
from app.destinations.provider_gates import ProviderGates
from app.destinations.state import country_allowances
from app.destinations.store import state_of_revision
from app.destinations.visible_rules import PolicyReader
from app.kernel.clock import Clock
from app.kernel.countries import COUNTRIES, country_name
from app.kernel.errors import NotFound
from app.people.visitor import Place, Visitor
from app.web.wiring import service


@dataclass(frozen=True, slots=True)
class Sight:
    """The policy as one user sees it.

    ``allowed`` maps each reachable country to its end, None if permanent; ``denied`` are allowed
    here and denied by the organization; ``paused`` are allowed and blocked by a rule.
    """

    visitor: Visitor
    workspace: AnyRow
    effective: Effective
    gates: ProviderGates
    allowed: Mapping[str, datetime | None]
    denied: tuple[str, ...]
    paused: tuple[str, ...]
    now: datetime

    @property
    def listed(self) -> tuple[str, ...]:
        """Return every country that can be taken off the list."""
        return (*self.allowed, *self.denied, *self.paused)

    @property
    def may_change(self) -> bool:
        """Say whether the visitor may change the policy here."""
        return self.visitor.permits(Role.ADMIN) and not self.effective.inherits

    @property
    def reader(self) -> PolicyReader:
        """Return the visitor as a reader of policies."""
        reach = self.visitor.reach
        return PolicyReader(self.visitor.role, lambda one: reach.role_in(one) is not None)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Return the rules of the policy that counts, as the visitor sees them."""
        return self.reader.rules(self.effective.state.rules, self.effective.owner_id)

    def rules_after(self, revision: AnyRow) -> tuple[Rule, ...]:
        """Return the rules as they were after a revision, as the visitor sees them."""
        return self.reader.rules(state_of_revision(revision).rules, revision.workspace_id)

    @property
    def owner(self) -> Place | None:
        """Return the workspace that owns the inherited policy, if the user may see it."""
        return self._place(self.effective.owner_id)

    @property
    def parent(self) -> Place | None:
        """Return the parent workspace, if there is one that the user may see."""
        return self._place(self.effective.parent_id)

    def access(self, code: str) -> str:
        """Return a country's access as a short label."""
        if code in self.effective.floor:
            return "blocked by organization"
        if code in self.allowed:
            return "allowed"
        return "blocked by a rule" if code in self.paused else "blocked"

    @property
    def closed(self) -> list[str]:
        """Return the countries that the provider is known to block."""
        return [code for code in sorted(COUNTRIES) if self.gates.is_closed(code)]

    @property
    def risky(self) -> list[str]:
        """Return the countries that the provider calls high-risk."""
        return [code for code in sorted(COUNTRIES) if self.gates.is_high_risk(code)]

    def _place(self, workspace_id: UUID | None) -> Place | None:
        places = self.visitor.places
        return next((one for one in places if one.workspace_id == workspace_id), None)


def place_of(visitor: Visitor) -> UUID:
    """Return the workspace that the pages show.

    Raises:
        NotFound: there is none yet.
    """
    if visitor.place is None:
        raise NotFound(
            "There is no workspace yet. An owner can create one under Settings, Workspaces."
        )
    return visitor.place.workspace_id


def load_sight(connection: Connection, visitor: Visitor) -> Sight:
    """Load the view model.

    Raises:
        NotFound: there is no workspace yet.
    """
    workspace_id = place_of(visitor)
    workspace = load_workspace(connection, workspace_id)
    if workspace is None:
        raise NotFound
    effective = load_effective(connection, workspace_id)
    now = service(Clock).now()
    allowances = country_allowances(effective.state, now)
    mapped = {c for c, access in effective.state.destinations.items() if access == Access.ALLOWED}
    return Sight(
        visitor=visitor,
        workspace=workspace,
        effective=effective,
        gates=load_gates(connection, workspace_id),
        allowed={c: until for c, until in allowances.items() if c not in effective.floor},
        denied=tuple(by_name(effective.floor & allowances.keys())),
        paused=tuple(by_name(mapped - allowances.keys())),
        now=now,
    )


def by_name(codes: set[str] | frozenset[str]) -> list[str]:
    """Sort countries by their names in the visitor's language."""
    language = visitor_language()
    return sorted(codes, key=lambda code: sort_key(country_name(code, language)))
