"""Rendering: the template environment and the responses."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from flask import Response, flash, g, get_flashed_messages, request
from jinja2 import Environment, PackageLoader, StrictUndefined
from werkzeug.datastructures import MultiDict

from app.access.principal import Role, sees_recipients, shown_number, shown_reason
from app.console.ui import guard_labels
from app.console.ui.guards import form_token
from app.guards.alerts_api import AlertFilter, AlertState, load_alerts
from app.kernel.clock import rfc3339
from app.kernel.countries import country_name
from app.messages.meanings import refusal_meaning
from app.providers.port import ErrorCodes
from app.users.current_user import CurrentUser
from app.web.assets import asset_url
from app.web.registry import current_time, get_service, reading
from app.web.routes import html_answer

DESTINATIONS = "/console/destinations"
_MOST_ALERTS = 3


@dataclass(frozen=True, slots=True)
class Item:
    """A page in the menu; ``trail`` has its headings."""

    label: str
    path: str
    trail: tuple[str, ...] = ()
    role: Role = Role.VIEWER
    organization_role: Role | None = None
    also: tuple[str, ...] = ()

    def is_here(self, here: str) -> bool:
        if self.path == "/console":
            return here == self.path
        paths = (self.path, *self.also)
        return any(here == path or here.startswith(path + "/") for path in paths)

    def is_shown_to(self, current_user: CurrentUser) -> bool:
        if self.organization_role is not None:
            return current_user.permits_everywhere(self.organization_role)
        return current_user.permits(self.role)


_CHANNEL = ("Settings", "Channels", "SMS")
MENU = (
    Item("Overview", "/console"),
    Item("Messages", "/console/messages", also=("/console/refusals",)),
    Item("Check a number", "/console/try"),
    Item("Alerts", "/console/alerts"),
    Item("Usage", "/console/usage"),
    Item("Manage Destinations", DESTINATIONS, _CHANNEL),
    Item("Provider check", "/console/provider", _CHANNEL),
    Item("Guards", "/console/guards", _CHANNEL),
    Item("Use cases", "/console/use-cases", _CHANNEL),
    Item("Opt-outs", "/console/opt-outs", _CHANNEL),
    Item("Prices", "/console/prices", _CHANNEL),
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
class MenuLine:
    label: str
    depth: int
    path: str | None = None
    is_here: bool = False


def menu_lines(current_user: CurrentUser, here: str) -> Iterator[MenuLine]:
    """Yield the menu, with each heading before its first page."""
    trail: tuple[str, ...] = ()
    is_marked = False
    for item in MENU:
        if not item.is_shown_to(current_user):
            continue
        for depth, label in enumerate(item.trail):
            if item.trail[: depth + 1] != trail[: depth + 1]:
                yield MenuLine(label, depth)
        trail = item.trail
        is_here = not is_marked and item.is_here(here)
        is_marked = is_marked or is_here
        yield MenuLine(item.label, len(trail), item.path, is_here)


def link(path: str) -> str:
    return request.script_root + path


def state_of(*stored: object) -> str:
    """Return a hash of the values that a form shows."""
    return sha256(repr(stored).encode()).hexdigest()[:16]


def grouped(number: int | str) -> str:
    """Separate thousands."""
    return f"{Decimal(number):,}"


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("app.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.do"],
    )
    made.globals.update(
        link=link,
        state_of=state_of,
        asset_url=asset_url,
        csrf_token=form_token,
        flashed=lambda: get_flashed_messages(with_categories=True),
        here=lambda: request.path,
        script_root=lambda: request.script_root,
        Role=Role,
        guard_labels=guard_labels,
        refusal_meaning=refusal_meaning,
        error_codes=lambda: get_service(ErrorCodes),
    )
    made.filters.update(
        country=lambda code: country_name(code) if code else "No country",
        utc=lambda at: f"{at:%Y-%m-%d %H:%M:%S UTC}",
        rfc3339=rfc3339,
        grouped=grouped,
    )
    return made


_TEMPLATES = _environment()


@dataclass(frozen=True, slots=True)
class Form:
    values: Mapping[str, Any] = field(default_factory=dict)
    errors: Mapping[str, list[str]] = field(default_factory=dict)

    def value(self, name: str, default: object = "") -> Any:
        return self.values.get(name, default)

    def chosen(self, name: str) -> list[str]:
        """Return the values of check boxes."""
        values = self.values
        return values.getlist(name) if isinstance(values, MultiDict) else values.get(name, [])

    def errors_of(self, name: str) -> list[str]:
        """Return the problems of a field; the empty name is the whole form."""
        return self.errors.get(name, [])


NO_FORM = Form()


def render(template: str, **values: Any) -> str:
    return _TEMPLATES.get_template(template).render(now=current_time(), **values)


def plain_page(template: str, status: int = 200, **values: Any) -> Response:
    answer = html_answer(render(template, **values), status)
    # Keeps the Origin header, by which forms are checked too.
    answer.headers["Referrer-Policy"] = "same-origin"
    return answer


def page_answer(template: str, status: int = 200, **values: Any) -> Response:
    """Render a page with its menu, for the signed-in user."""
    current_user: CurrentUser = g.current_user
    return plain_page(
        template,
        status,
        current_user=current_user,
        menu=list(menu_lines(current_user, request.path)),
        open_alerts=lambda: _open_alerts(current_user),
        number=lambda number: shown_number(current_user.role, number),
        reason=lambda text: shown_reason(current_user.role, text),
        sees_recipients=sees_recipients(current_user.role),
        **values,
    )


def _open_alerts(current_user: CurrentUser) -> list[tuple[str, str]]:
    """Load kind and text of the newest unacknowledged alerts."""
    if current_user.workspace_access is None:
        return []
    wanted = AlertFilter(limit=_MOST_ALERTS, state=AlertState.OPEN, is_acknowledged=False)
    with reading() as connection:
        rows = load_alerts(connection, current_user.principal, wanted)
    return [(guard_labels.KINDS[r.kind], guard_labels.alert_text(r)) for r in rows[:_MOST_ALERTS]]


def wanted_page(otherwise: str) -> str:
    """Return ``next`` if it is a console page."""
    given = request.values.get("next", "")
    parts = urlsplit(given)
    is_ours = not parts.scheme and not parts.netloc and parts.path.startswith("/console")
    is_plain = given.isascii() and given.isprintable() and "\\" not in given
    return given if is_ours and is_plain else otherwise


def redirect_with_flash(path: str, notice: str | None = None) -> Response:
    if notice is not None:
        flash(notice, "done")
    return Response(status=303, headers={"Location": link(path)})
