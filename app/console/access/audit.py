"""The page of the audit."""

from collections.abc import Mapping
from functools import partial

from flask import Response
from marshmallow import validate
from sqlalchemy import Connection

from app.access.audit import AuditFilter, load_audit_events
from app.access.principal import ActorKind, Role
from app.console.ui.forms import DaysSearch, searched_list
from app.console.ui.guards import ADMIN, Pages
from app.console.ui.pages import page_answer
from app.db.rows import AnyRow
from app.users.current_user import CurrentUser
from app.web.fields import Choice, Id, Text
from app.web.registry import reading

_GONE = ("deleted", "removed")

# The pages of objects, by their kind; ``{id}`` is replaced by the id in the audit event.
_OF_ORGANIZATION: Mapping[str, str] = {
    "user": "/console/people/{id}",
    "workspace": "/console/workspaces/{id}",
}
_OF_WORKSPACE: Mapping[str, str] = {
    "destinations": "/console/destinations/history/{id}",
    "opt_out": "/console/opt-outs",
    "sender": "/console/use-cases",
    "use_case": "/console/use-cases/{id}",
    "webhook_delivery": "/console/webhooks",
    "webhook_endpoint": "/console/webhooks/{id}",
}
_PAGES = {"access_key": "/console/access-keys", **_OF_ORGANIZATION, **_OF_WORKSPACE}
_NOUNS: Mapping[str, str] = {
    "destinations": "revision",
    "provider_account": "Twilio account",
    "user": "account",
}
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
routes = Pages()
PATH = "/console/audit"
_SHOWN = 40


def object_path(current_user: CurrentUser, row: AnyRow) -> str | None:
    """None if this user has no page of the object."""
    kind, _, verb = row.action.partition(".")
    if kind not in _PAGES or row.target is None or verb in _GONE:
        return None
    if kind in _OF_ORGANIZATION and not current_user.permits_everywhere(Role.OWNER):
        return None
    place = current_user.workspace_access
    if kind in _OF_WORKSPACE and (place is None or row.workspace_id != place.workspace_id):
        return None
    return _PAGES[kind].format(id=row.target)


def object_noun(action: str) -> str:
    kind = action.partition(".")[0]
    return _NOUNS.get(kind) or kind.replace("_", " ")


def action_label(action: str) -> str:
    return ACTION_LABELS.get(action) or action.replace(".", " ").replace("_", " ").capitalize()


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
    with reading() as connection:
        find = partial(find_audit_events, connection, current_user)
        found = searched_list(PATH, AuditSearch, find)
    return page_answer(
        "access/audit.html",
        **found,
        sees_everywhere=current_user.permits_everywhere(Role.ADMIN),
        actions=[("", "Any action"), *sorted(ACTION_LABELS.items(), key=lambda pair: pair[1])],
        doors=[("", "Any"), *((kind, kind.replace("_", " ")) for kind in ActorKind)],
        action_label=action_label,
        object_path=lambda row: object_path(current_user, row),
        object_noun=object_noun,
    )
