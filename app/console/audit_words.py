"""Labels of audit actions."""

from collections.abc import Mapping

from app.access.principal import ActorKind

WORDS: Mapping[str, str] = {
    "alert.acknowledged": "Alert acknowledged",
    "access_key.changed": "Access key changed",
    "access_key.created": "Access key made",
    "access_key.revoked": "Access key revoked",
    "console.signed_in": "Signed in to the console",
    "console.signed_out": "Signed out of the console",
    "console.sign_in_failed": "Sign-in failed",
    "database.copy_started": "Copy to another database started",
    "destinations.adjusted": "Destinations adjusted",
    "destinations.allowed": "Destinations allowed",
    "destinations.allowed_until": "Destinations allowed for a time",
    "destinations.blocked": "Destinations blocked",
    "destinations.imported": "Destinations imported",
    "destinations.inheritance_off": "Destinations made the workspace's own",
    "destinations.inheritance_on": "Destinations inherited from the parent",
    "destinations.provisioned": "Destinations provisioned",
    "destinations.replaced": "Destinations replaced",
    "destinations.restored": "Destinations restored",
    "destinations.rule_added": "Destination rule added",
    "destinations.rule_removed": "Destination rule removed",
    "geo.pushed": "Geo permissions changed at Twilio",
    "guards.changed": "Guards changed",
    "opt_out.added": "Opt-out added",
    "opt_out.removed": "Opt-out removed",
    "organization.changed": "Organization changed",
    "organization.created": "Organization made",
    "privacy.erased": "Number erased",
    "privacy.purged": "Old data purged",
    "provider_account.changed": "Twilio account changed",
    "provider_account.created": "Twilio account linked",
    "provider_account.forgotten": "Twilio account forgotten",
    "secrets.rotated": "Encryption key rotated",
    "sender.added": "Sender added",
    "sender.changed": "Sender changed",
    "sender.removed": "Sender removed",
    "use_case.changed": "Use case changed",
    "use_case.created": "Use case made",
    "use_case.deleted": "Use case deleted",
    "use_case.refreshed": "Brand and campaign read again",
    "user.created": "Account made",
    "user.disabled": "Person barred",
    "user.identity_pinned": "Account pinned to an identity",
    "user.password_changed": "Own password changed",
    "user.recovery_code_used": "Recovery code used",
    "user.recovery_codes_made": "Recovery codes made",
    "user.reset": "Person given a fresh start",
    "user.roles_changed": "Roles changed",
    "user.second_factor_removed": "Own second factor switched off",
    "user.second_factor_set": "Own second factor switched on",
    "webhook_delivery.replayed": "Webhook delivery replayed",
    "webhook_endpoint.changed": "Webhook endpoint changed",
    "webhook_endpoint.created": "Webhook endpoint made",
    "webhook_endpoint.deleted": "Webhook endpoint deleted",
    "webhook_endpoint.disabled": "Webhook endpoint disabled",
    "webhook_endpoint.enabled": "Webhook endpoint enabled",
    "webhook_endpoint.secret_rotated": "Webhook secret changed",
    "workspace.changed": "Workspace changed",
    "workspace.created": "Workspace made",
    "workspace.frozen": "Workspace frozen",
    "workspace.thawed": "Workspace thawed",
}

DOORS: Mapping[ActorKind, str] = {
    ActorKind.ACCESS_KEY: "access key",
    ActorKind.COMMAND_LINE: "command line",
    ActorKind.PROVISIONING: "provisioning",
    ActorKind.SYSTEM: "the gateway itself",
    ActorKind.USER: "person",
}


def words_of(action: str) -> str:
    """Say an action in words; one that has none yet is read as it is written."""
    known = WORDS.get(action)
    return known or action.replace(".", " ").replace("_", " ").capitalize()
