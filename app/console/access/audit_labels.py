"""Labels of audit actions."""

from collections.abc import Mapping

from app.access.principal import ActorKind

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
    """Say an action in words; one that has none yet is read as it is written."""
    known = ACTION_LABELS.get(action)
    return known or action.replace(".", " ").replace("_", " ").capitalize()
