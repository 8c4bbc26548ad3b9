"""Links from audit events to the pages of their objects."""

from collections.abc import Mapping
from dataclasses import dataclass

from flask import current_app

from app.access.principal import Role
from app.db.rows import AnyRow
from app.users.current_user import CurrentUser

_GONE = ("deleted", "removed")


@dataclass(frozen=True, slots=True)
class _Shown:
    """The page of a kind of object; ``{id}`` stands for the event's target."""

    path: str
    of_organization: bool = False
    of_workspace: bool = False


_WORKSPACE = "/console/workspaces/{id}"
_PAGES: Mapping[str, _Shown] = {
    "access_key": _Shown("/console/access-keys"),
    "destinations": _Shown("/console/destinations/history/{id}", of_workspace=True),
    "opt_out": _Shown("/console/opt-outs", of_workspace=True),
    "sender": _Shown("/console/use-cases", of_workspace=True),
    "use_case": _Shown("/console/use-cases/{id}", of_workspace=True),
    "user": _Shown("/console/people/{id}", of_organization=True),
    "webhook_delivery": _Shown("/console/webhooks", of_workspace=True),
    "webhook_endpoint": _Shown("/console/webhooks/{id}", of_workspace=True),
    "workspace": _Shown(_WORKSPACE, of_organization=True),
}
_NOUNS: Mapping[str, str] = {
    "destinations": "revision",
    "provider_account": "Twilio account",
    "user": "account",
}


def object_path(current_user: CurrentUser, row: AnyRow) -> str | None:
    """Return the page of an audit event's object; None if there is none for this user."""
    kind, _, verb = row.action.partition(".")
    shown = _PAGES.get(kind)
    if shown is None or row.target is None or verb in _GONE:
        return None
    if shown.of_organization and current_user.organization_role is not Role.OWNER:
        return None
    place = current_user.workspace_access
    if shown.of_workspace and (place is None or row.workspace_id != place.workspace_id):
        return None
    return shown.path.format(id=row.target) if _is_served(shown.path) else None


def object_noun(action: str) -> str:
    """Name the kind of object that an action is about."""
    kind = action.partition(".")[0]
    return _NOUNS.get(kind) or kind.replace("_", " ")


def _is_served(path: str) -> bool:
    wanted = path.partition("{")[0]
    rules = (rule.rule.partition("<")[0] for rule in current_app.url_map.iter_rules())
    return wanted in rules
