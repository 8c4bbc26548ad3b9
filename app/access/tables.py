"""Tables of organizations, workspaces, provider accounts and access keys."""

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    Uuid,
    false,
)

from app.db.types import UtcDateTime, add_table

organizations = add_table(
    "organizations",
    Column("id", Uuid, primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("denied_destinations", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)

# One row per Twilio (sub)account, shared by the workspaces of its organization. Its tokens check
# the signatures of callbacks and are encrypted (see app.db.encryption); `next_auth_token` is set
# during a rotation. The unique pair lets the database refuse a workspace of another
# organization.
provider_accounts = add_table(
    "provider_accounts",
    Column("sid", String(34), primary_key=True),
    Column("organization_id", Uuid, ForeignKey("organizations.id"), nullable=False),
    Column("auth_token", Text, nullable=False),
    Column("next_auth_token", Text),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    UniqueConstraint("organization_id", "sid"),
)

workspaces = add_table(
    "workspaces",
    Column("id", Uuid, primary_key=True),
    Column("organization_id", Uuid, ForeignKey("organizations.id"), nullable=False),
    Column("name", String(200), nullable=False),
    Column("home_country", String(2), nullable=False),
    Column("parent_id", Uuid, ForeignKey("workspaces.id")),
    Column("inherits_destinations", Boolean, nullable=False),
    Column("account_sid", String(34)),
    Column("acknowledges_high_risk", Boolean, nullable=False, server_default=false()),
    Column("suspended_at", UtcDateTime),
    Column("suspended_reason", Text),
    Column("body_retention_days", Integer, nullable=False),
    Column("number_retention_days", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    UniqueConstraint("organization_id", "name"),
    ForeignKeyConstraint(
        ["organization_id", "account_sid"],
        ["provider_accounts.organization_id", "provider_accounts.sid"],
    ),
    Index(None, "parent_id"),
    Index(None, "account_sid"),
)

access_keys = add_table(
    "access_keys",
    Column("id", Uuid, primary_key=True),
    Column("organization_id", Uuid, ForeignKey("organizations.id"), nullable=False),
    Column("workspace_id", Uuid, ForeignKey("workspaces.id")),
    Column("name", String(200), nullable=False),
    Column("role", String(16), nullable=False),
    Column("token_hash", String(64), nullable=False, unique=True),
    # How the token begins; null for keys from before it was kept.
    Column("token_prefix", String(8)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
    Column("rate_per_second", Integer, nullable=False, server_default="100"),
    Column("rate_burst", Integer, nullable=False, server_default="200"),
    # JSON: see app.access.principal; null without limits.
    Column("limits", Text),
    # Written once a minute at most.
    Column("last_used_at", UtcDateTime),
    Column("last_used_address", String(45)),
    Index(None, "organization_id", "workspace_id"),
)

# Written in the transaction of the change.
audit_events = add_table(
    "audit_events",
    Column("id", Uuid, primary_key=True),
    Column("organization_id", Uuid, ForeignKey("organizations.id"), nullable=False),
    Column("workspace_id", Uuid, ForeignKey("workspaces.id")),
    Column("at", UtcDateTime, nullable=False),
    Column("actor_kind", String(16), nullable=False),
    Column("actor_id", Uuid),
    Column("actor_name", String(200), nullable=False),
    Column("action", String(60), nullable=False),
    Column("target", String(200)),
    Column("reason", Text),
    Index(None, "organization_id", "id"),
    Index(None, "workspace_id", "id"),
)

# Failed attempts in milliseconds since 1970, oldest first: see app.access.attempts.
failed_attempts = add_table(
    "failed_attempts",
    Column("slot", String(24), primary_key=True),
    Column("times", JSON, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Index(None, "expires_at"),
)
