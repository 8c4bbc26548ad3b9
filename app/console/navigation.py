"""The menu, and who sees each entry.

Manage Destinations is listed under both of its groups and is one page.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from app.access.roles import Role
from app.people.visitor import Visitor

DESTINATIONS = "/console/destinations"


@dataclass(frozen=True, slots=True)
class Item:
    """One page in the menu; ``trail`` names its groups."""

    label: str
    path: str
    trail: tuple[str, ...] = ()
    role: Role = Role.VIEWER
    organization_role: Role | None = None
    beside: tuple[str, ...] = ()

    def is_here(self, here: str) -> bool:
        """Return whether the current page is this one, or belongs to it."""
        if self.path == "/console":
            return here == self.path
        return any(_is_below(here, path) for path in (self.path, *self.beside))

    def is_shown_to(self, visitor: Visitor) -> bool:
        """Say whether the visitor may open the page."""
        if self.organization_role is not None:
            has = visitor.organization_role
            return has is not None and has.permits(self.organization_role)
        return visitor.permits(self.role)


_CHANNEL = ("Settings", "Channels", "SMS")
MENU = (
    Item("Overview", "/console"),
    Item("Messages", "/console/messages", beside=("/console/refusals",)),
    Item("Check a number", "/console/try"),
    Item("Manage Destinations", DESTINATIONS, _CHANNEL),
    Item("Provider check", "/console/provider", _CHANNEL),
    Item("Use cases", "/console/use-cases", _CHANNEL),
    Item("Opt-outs", "/console/opt-outs", _CHANNEL),
    Item("Workspaces", "/console/workspaces", ("Settings",), organization_role=Role.OWNER),
    Item("People", "/console/people", ("Settings",), organization_role=Role.OWNER),
    Item("Audit", "/console/audit", ("Settings",), role=Role.ADMIN),
    Item("Manage Destinations", DESTINATIONS, ("Developer", "SMS Setup")),
    Item("First steps", "/console/first-steps", ("Developer",)),
    Item("Access keys", "/console/access-keys", ("Developer",), role=Role.ADMIN),
    Item("Webhooks", "/console/webhooks", ("Developer",)),
    Item("API reference", "/docs", ("Developer",)),
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the drawn menu: a heading, or a page."""

    label: str
    depth: int
    path: str | None = None
    is_here: bool = False


def menu_lines(visitor: Visitor, here: str) -> Iterator[Line]:
    """Draw the menu for a visitor, with each heading before its first page.

    A page that is listed twice is marked once.
    """
    trail: tuple[str, ...] = ()
    is_marked = False
    for item in MENU:
        if not item.is_shown_to(visitor):
            continue
        for depth, label in enumerate(item.trail):
            if item.trail[: depth + 1] != trail[: depth + 1]:
                yield Line(label, depth)
        trail = item.trail
        is_here = not is_marked and item.is_here(here)
        is_marked = is_marked or is_here
        yield Line(item.label, len(trail), item.path, is_here)


def _is_below(path: str, parent: str) -> bool:
    return path == parent or path.startswith(parent + "/")
