"""Provider check: differences between the policy and Twilio's geo permissions, and their fix."""

from collections.abc import Collection
from dataclasses import dataclass

from flask import Response, request

from app.access.audit import AuditEvent
from app.access.guard import changing
from app.access.principal import Role
from app.console.destinations.view import by_name, load_destinations_view, shown_workspace
from app.console.ui.guards import ADMIN, VIEWER, Pages
from app.console.ui.pages import page_answer, redirect_with_flash
from app.destinations.geo_permissions.check import (
    CheckProvider,
    PermissionsView,
    Pushed,
    PushToProvider,
    load_permissions_view,
)
from app.providers.port import GeoFacts
from app.users.current_user import CurrentUser
from app.web.registry import get_service, reading

routes = Pages()
PATH = "/console/provider"
_NO_ACCOUNT = "This workspace has no Twilio account."
_UNREACHABLE = "Twilio could not be reached: {}. Try again later."


@dataclass(frozen=True, slots=True)
class _ShownPlan:
    pushed: Pushed

    @property
    def text(self) -> str:
        """Identifies the changes and the account."""
        changes = (f"{one.country}={one.is_open}" for one in self.pushed.plan.changes)
        return f"{self.pushed.account_sid};{','.join(changes)}"

    def countries(self, *, is_open: bool) -> list[str]:
        return by_name({one.country for one in self.pushed.plan.changes if one.is_open is is_open})


@routes.get(PATH, VIEWER)
def provider_page(
    current_user: CurrentUser, status: int = 200, problem: str = "", plan: _ShownPlan | None = None
) -> Response:
    facts = get_service(GeoFacts)
    with reading() as connection:
        view = load_destinations_view(connection, current_user)
        permissions_view = load_permissions_view(connection, view.effective, facts, view.now)
    return page_answer(
        "destinations/provider.html",
        status,
        view=view,
        permissions_view=permissions_view,
        geo_facts=facts,
        found=_disagreements(permissions_view),
        problem=problem,
        plan=plan,
    )


@routes.post(PATH, ADMIN)
def ask_again(current_user: CurrentUser) -> Response:
    checked = get_service(CheckProvider)(shown_workspace(current_user))
    if not checked:
        return provider_page(current_user, 422, _NO_ACCOUNT)
    problem = checked[0].problem
    if problem is None:
        return redirect_with_flash(PATH, "Refreshed.")
    if problem.is_misconfigured:
        text = f"Twilio rejects this workspace's account: {problem}. Ask an owner to check it."
        return provider_page(current_user, 502, text)
    return provider_page(current_user, 503, _UNREACHABLE.format(problem))


@routes.post(PATH + "/align", ADMIN)
def align_permissions(current_user: CurrentUser) -> Response:
    workspace_id = shown_workspace(current_user)
    push = PushToProvider(get_service(CheckProvider))
    planned = push(workspace_id)
    obstacle = _obstacle(current_user, planned)
    if obstacle is not None:
        return provider_page(current_user, *obstacle)
    plan = _ShownPlan(planned[0])
    if request.form.get("shown") != plan.text or not request.form.get("acknowledge"):
        return provider_page(current_user, plan=plan)
    (pushed,) = push(workspace_id, apply=True)
    reason = f"{len(pushed.plan.changes)} permissions of {pushed.account_sid}"
    with changing(current_user.principal) as change:
        change.record(AuditEvent("geo.pushed", workspace_id, reason=reason))
    failure = _failure(pushed)
    if failure is not None:
        return provider_page(current_user, *failure)
    return redirect_with_flash(PATH, f"Changed at Twilio: {len(pushed.plan.changes)} permissions.")


def _obstacle(current_user: CurrentUser, planned: list[Pushed]) -> tuple[int, str] | None:
    if not planned:
        return 422, _NO_ACCOUNT
    first = planned[0]
    if first.problem is not None:
        return 503, _UNREACHABLE.format(first.problem)
    if len(first.workspaces) > 1 and not current_user.permits_everywhere(Role.ADMIN):
        names = ", ".join(first.workspaces)
        return 403, f"The Twilio account is shared by {names}. An admin of all of them can do this."
    return None


def _failure(pushed: Pushed) -> tuple[int, str] | None:
    if pushed.problem is not None:
        return 503, f"Twilio did not confirm the changes: {pushed.problem}."
    refused = [one for one in pushed.outcomes or () if one.problem is not None]
    if not refused:
        return None
    named = ", ".join(f"{one.wanted.country} ({one.problem})" for one in refused)
    return 422, f"Twilio did not change: {named}."


def _disagreements(permissions_view: PermissionsView) -> dict[str, Collection[str]]:
    found, geo_permissions = permissions_view.comparison, permissions_view.geo_permissions
    both = {*found.allowed_here_closed_there, *found.closed_here_open_there}
    entries = {code: geo_permissions.entry_of(code) for code in found.closed_here_open_there}
    return {name: by_name(codes) for name, codes in found.as_json().items()} | {
        # These can only be changed in Twilio's console.
        "by_hand": {
            c
            for c in both
            if geo_permissions.is_high_risk(c) and not geo_permissions.is_unsupported(c)
        },
        # Closing these would also close another, allowed country.
        "shared": {
            c for c, entry in entries.items() if entry != c and entry in permissions_view.allowed
        },
    }
