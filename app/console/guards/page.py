"""The page of guards: limits, with their effect on past traffic shown before they are saved."""

from dataclasses import dataclass, field, replace
from typing import Any

from flask import request

from app.access.principal import Role
from app.console.destinations.view import shown_workspace
from app.console.guards.inputs import FIELDS, body_of, form_of, refilled, text_of
from app.console.ui.forms import Form, read_text
from app.console.ui.guard_labels import FIELD_LABELS, HINTS, MODES, NAMES, SIGNS
from app.console.ui.guards import RequiresRole
from app.console.ui.pages import page_answer, redirect_with_flash
from app.db.engine import Database
from app.destinations.manage import ChangeRequest
from app.guards.configuration import parse_guards, use_case_json
from app.guards.limits import GuardConfiguration, Guards
from app.guards.manage import DryRun, GuardEdit, ManageGuards
from app.kernel.errors import RevisionMismatch, ValidationFailed
from app.kernel.problems import Problems
from app.kernel.whole_numbers import read_whole_number
from app.use_cases.read import load_use_case_names
from app.users.current_user import CurrentUser
from app.web.registry import get_service
from app.web.routes import Answer, Routes

routes = Routes("Console", described=False)
GUARDS = "/console/guards"
_MAX_REASON = 500
_SAVE = "save"


@dataclass(frozen=True, slots=True)
class _Shown:
    """The content of the form, and the preview of saving it."""

    form: Form | None = None
    revision: int | None = None
    preview: DryRun | None = None
    text: str = ""
    suggested_from: int | None = None
    problems: list[str] = field(default_factory=list)
    is_stale: bool = False


@routes.add("GET", GUARDS, guard=RequiresRole(Role.VIEWER), answers={200: "text/html"})
def guards_page(current_user: CurrentUser) -> Answer:
    """Show the guards of the workspace, or the suggested ones to be reviewed."""
    if request.args.get("suggested") and current_user.permits(Role.ADMIN):
        found = get_service(ManageGuards).suggest(shown_workspace(current_user))
        form = form_of(found.configuration.guards)
        return _page(current_user, _Shown(form, suggested_from=found.messages))
    return _page(current_user, _Shown())


@routes.add(
    "POST",
    GUARDS,
    guard=RequiresRole(Role.ADMIN),
    answers={303: None, **dict.fromkeys((200, 412, 422), "text/html")},
)
def change_guards(current_user: CurrentUser) -> Answer:
    """Preview the guards of the form, or save those that were previewed."""
    manage, workspace_id = get_service(ManageGuards), shown_workspace(current_user)
    body, given = body_of(request.form), request.form.to_dict()
    revision = read_whole_number(request.form.get("revision", "")) or 0
    text = text_of(body, revision)
    is_shown = request.form.get("step") == _SAVE and request.form.get("shown") == text
    try:
        reason = read_text("reason")[:_MAX_REASON] or None
        asked = ChangeRequest(
            current_user.actor, reason, frozenset({revision}), dry_run=not is_shown
        )
        if is_shown:
            view = manage.change(workspace_id, _edit(body), asked)
            told = f"Saved as revision {view.stored.revision}. In effect for the next send."
            return redirect_with_flash(GUARDS, told)
        preview = manage.dry_run(workspace_id, _edit(body), asked)
    except RevisionMismatch:
        return _page(current_user, _Shown(Form(given), is_stale=True), 412)
    except ValidationFailed as problem:
        return _page(current_user, _Shown(refilled(given, problem), revision), 422)
    return _page(current_user, _Shown(Form(given), revision, preview, text))


def _edit(body: dict[str, Any]) -> GuardEdit:
    """Replace the guards of the workspace; those of use cases stay."""

    def edit(before: GuardConfiguration, problems: Problems) -> GuardConfiguration:
        wanted = parse_guards(body, "$.guards", problems, Guards())
        return replace(before, guards=wanted)

    return edit


def _page(current_user: CurrentUser, shown: _Shown, status: int = 200) -> Answer:
    view = get_service(ManageGuards).load(shown_workspace(current_user))
    with get_service(Database).reading() as connection:
        names = load_use_case_names(connection, current_user.principal)
    stored = view.stored
    own = stored.configuration.use_cases.items()
    return page_answer(
        current_user,
        "guards/page.html",
        status,
        shown=shown,
        form=shown.form or form_of(stored.configuration.guards),
        revision=stored.revision if shown.revision is None else shown.revision,
        stored=stored,
        auto=view.auto,
        use_cases=[(names.get(key, "Deleted use case"), use_case_json(one)) for key, one in own],
        fields=FIELDS,
        names=NAMES,
        hints=HINTS,
        field_labels=FIELD_LABELS,
        modes=MODES,
        signs=SIGNS,
        may_change=current_user.permits(Role.ADMIN),
    )
