"""The page of the audit."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from flask import Response, current_app
from marshmallow import validate
from sqlalchemy import Connection

from app.access.audit import AuditFilter, load_audit_events
from app.access.principal import ActorKind, Role
from app.console.ui.forms import DaysSearch, listed, searched
from app.console.ui.guards import ADMIN, Pages
from app.console.ui.pages import page_answer
from app.db.rows import AnyRow
from app.users.current_user import CurrentUser
from app.web.fields import Choice, Id, Text
from app.web.registry import reading

_GONE = ("deleted", "removed")


@dataclass(frozen=True, slots=True)
class _Shown:
    """The page that shows a kind of object; ``{id}`` is replaced by the id in the audit event."""

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
    """None if this user has no page of the object."""
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
    kind = action.partition(".")[0]
    return _NOUNS.get(kind) or kind.replace("_", " ")


def _is_served(path: str) -> bool:
    wanted = path.partition("{")[0]
    rules = (rule.rule.partition("<")[0] for rule in current_app.url_map.iter_rules())
    return wanted in rules


ACTION_LABELS: Mapping[str, str] = {
    "alert.acknowledged": "Alert acknowledged",
    "access_key.changed": "Access key changed",
    "access_key.created": "Access key created",
    "access_key.revoked": "Access key revoked",
    "console.signed_in": "Signed in to the console",
    "console.signed_out": "Signed out of the console",
    "console.sign_in_failed": "Sign-in failed",
    "database.copy_started": "Copy to another database started",
    "destinations.adjusted": "Destinations changed",
    "destinations.allowed": "Destinations allowed",
    "destinations.allowed_until": "Destinations allowed temporarily",
    "destinations.blocked": "Destinations blocked",
    "destinations.imported": "Destinations imported",
    "destinations.inheritance_off": "Destinations no longer inherited",
    "destinations.inheritance_on": "Destinations inherited from the parent",
    "destinations.provisioned": "Destinations set by apply",
    "destinations.replaced": "Destinations replaced",
    "destinations.restored": "Destinations restored",
    "destinations.rule_added": "Destination rule added",
    "destinations.rule_removed": "Destination rule removed",
    "geo.pushed": "Geo permissions changed at Twilio",
    "guards.changed": "Guards changed",
    "prices.changed": "Price changed",
    "prices.imported": "Prices imported",
    "prices.refreshed": "Prices read from Twilio",
    "prices.removed": "Price removed",
    "opt_out.added": "Opt-out added",
    "opt_out.removed": "Opt-out removed",
    "organization.changed": "Organization changed",
    "organization.created": "Organization created",
    "privacy.erased": "Number erased",
    "privacy.exported": "Number exported",
    "privacy.purged": "Old data purged",
    "provider_account.changed": "Twilio account changed",
    "provider_account.created": "Twilio account linked",
    "provider_account.forgotten": "Twilio account removed",
    "secrets.rotated": "Encryption key rotated",
    "sender.added": "Sender added",
    "sender.changed": "Sender changed",
    "sender.removed": "Sender removed",
    "use_case.changed": "Use case changed",
    "use_case.created": "Use case created",
    "use_case.deleted": "Use case deleted",
    "use_case.refreshed": "Brand and campaign refreshed",
    "user.created": "User added",
    "user.disabled": "User disabled",
    "user.identity_pinned": "Identity provider linked",
    "user.link_created": "Sign-in link created",
    "user.password_changed": "Password changed",
    "user.password_set": "Password set through a link",
    "user.recovery_code_used": "Recovery code used",
    "user.recovery_codes_made": "Recovery codes created",
    "user.reset": "User reset",
    "user.roles_changed": "Roles changed",
    "user.second_factor_removed": "Second factor turned off",
    "user.second_factor_set": "Second factor turned on",
    "webhook_delivery.replayed": "Webhook delivery resent",
    "webhook_endpoint.changed": "Webhook endpoint changed",
    "webhook_endpoint.created": "Webhook endpoint created",
    "webhook_endpoint.deleted": "Webhook endpoint deleted",
    "webhook_endpoint.disabled": "Webhook endpoint disabled",
    "webhook_endpoint.enabled": "Webhook endpoint enabled",
    "webhook_endpoint.secret_rotated": "Webhook secret rotated",
    "workspace.changed": "Workspace changed",
    "workspace.created": "Workspace created",
    "workspace.frozen": "Workspace suspended",
    "workspace.thawed": "Workspace resumed",
}

ACTOR_LABELS: Mapping[ActorKind, str] = {
    ActorKind.ACCESS_KEY: "access key",
    ActorKind.COMMAND_LINE: "command line",
    ActorKind.PROVISIONING: "provisioning",
    ActorKind.SYSTEM: "system",
    ActorKind.USER: "user",
}


def action_label(action: str) -> str:
    known = ACTION_LABELS.get(action)
    return known or action.replace(".", " ").replace("_", " ").capitalize()


routes = Pages()
PATH = "/console/audit"
_SHOWN = 40


class AuditSearch(DaysSearch):
    makes = partial(AuditFilter, limit=_SHOWN)
    workspace_id = Id()
    action = Text(validate=validate.Length(max=60))
    actor_kind = Choice(ActorKind)
    actor_name = Text(validate=validate.Length(max=200))


def find_audit_events(
    connection: Connection, current_user: CurrentUser, wanted: AuditFilter
) -> list[AnyRow]:
    return load_audit_events(connection, current_user.principal_for(Role.ADMIN), wanted)


@routes.get(PATH, ADMIN)
def audit_page(current_user: CurrentUser) -> Response:
    form, wanted = searched(AuditSearch)
    with reading() as connection:
        rows = [] if wanted is None else find_audit_events(connection, current_user, wanted)
    return page_answer(
        current_user,
        "access/audit.html",
        200 if wanted else 422,
        form=form,
        **listed(PATH, rows, _SHOWN),
        sees_everywhere=current_user.principal_for(Role.ADMIN).workspace_id is None,
        actions=[("", "Any action"), *sorted(ACTION_LABELS.items(), key=lambda pair: pair[1])],
        doors=[("", "Any"), *ACTOR_LABELS.items()],
        action_label=action_label,
        door_of=lambda row: ACTOR_LABELS[ActorKind(row.actor_kind)],
        object_path=lambda row: object_path(current_user, row),
        object_noun=object_noun,
    )
