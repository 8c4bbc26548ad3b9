"""Provider check: differences between the policy and Twilio's geo permissions."""

from dataclasses import dataclass

from app.access.roles import Role
from app.console.destinations.sight import by_name, load_sight, place_of
from app.console.guard import Visits
from app.console.pages import go_to, page_answer
from app.db.engine import Database
from app.destinations.provider_check import CheckProvider, ProviderView, load_view
from app.destinations.provider_gates import UNSUPPORTED
from app.people.visitor import Visitor
from app.web.routes import Answer, Routes
from app.web.wiring import service

routes = Routes("Console", described=False)
PATH = "/console/provider"
_NO_ACCOUNT = "This workspace has no Twilio account."


@dataclass(frozen=True, slots=True)
class Disagreements:
    """The four lists by name, and the countries that only Twilio's console can change."""

    allowed_here_closed_there: list[str]
    closed_here_open_there: list[str]
    high_risk: list[str]
    unsupported: list[str]
    by_hand: frozenset[str]
    shared: frozenset[str]


@routes.add("GET", PATH, guard=Visits(Role.VIEWER), answers={200: "text/html"})
def provider_page(visitor: Visitor) -> Answer:
    """Show the four disagreements as of the last check."""
    return _page(visitor)


@routes.add(
    "POST",
    PATH,
    guard=Visits(Role.ADMIN),
    answers={303: None, **dict.fromkeys((422, 502, 503), "text/html")},
)
def ask_again(visitor: Visitor) -> Answer:
    """Ask Twilio now."""
    checked = service(CheckProvider)(place_of(visitor))
    if not checked:
        return _page(visitor, 422, _NO_ACCOUNT)
    problem = checked[0].problem
    if problem is None:
        return go_to(PATH, "Refreshed.")
    if problem.is_misconfigured:
        told = f"Twilio rejects this workspace's account: {problem}. Ask an owner to check it."
        return _page(visitor, 502, told)
    return _page(visitor, 503, f"Twilio could not be reached: {problem}. Try again later.")


def _page(visitor: Visitor, status: int = 200, problem: str = "") -> Answer:
    with service(Database).reading() as connection:
        sight = load_sight(connection, visitor)
        view = load_view(connection, sight.effective, sight.now)
    return page_answer(
        visitor,
        "provider.html",
        status,
        sight=sight,
        view=view,
        found=_disagreements(view),
        problem=problem,
    )


def _disagreements(view: ProviderView) -> Disagreements:
    found, gates = view.comparison, view.gates
    both = {*found.allowed_here_closed_there, *found.closed_here_open_there}
    entries = {code: gates.entry_of(code) for code in found.closed_here_open_there}
    return Disagreements(
        by_name(set(found.allowed_here_closed_there)),
        by_name(set(found.closed_here_open_there)),
        by_name(set(found.high_risk)),
        by_name(set(found.unsupported)),
        by_hand=frozenset(c for c in both if gates.is_high_risk(c) and c not in UNSUPPORTED),
        # Closing these would close another country that is allowed here.
        shared=frozenset(c for c, entry in entries.items() if entry != c and entry in view.allowed),
    )
