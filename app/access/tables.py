"""Tables of organizations, workspaces, provider accounts and access keys."""

import sqlalchemy as sa

from app.db.types import UtcDateTime, add_table

organizations = add_table(
    "organizations",
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("name", sa.String(200), nullable=False, unique=True),
    sa.Column("denied_destinations", sa.JSON, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
)

# One row per Twilio (sub)account, shared by the workspaces of its organization. Its tokens check
# the signatures of callbacks and are encrypted (see app.db.encryption); `next_auth_token` is set
# during a rotation. The unique pair lets the database refuse a workspace of another
# organization.
provider_accounts = add_table(
    "provider_accounts",
    sa.Column("sid", sa.String(34), primary_key=True),
    sa.Column("organization_id", sa.Uuid, sa.ForeignKey("organizations.id"), nullable=False),
    sa.Column("auth_token", sa.Text, nullable=False),
    sa.Column("next_auth_token", sa.Text),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.UniqueConstraint("organization_id", "sid"),
)

workspaces = add_table(
    "workspaces",
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("organization_id", sa.Uuid, sa.ForeignKey("organizations.id"), nullable=False),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("home_country", sa.String(2), nullable=False),
    sa.Column("parent_id", sa.Uuid, sa.ForeignKey("workspaces.id")),
    sa.Column("inherits_destinations", sa.Boolean, nullable=False),
    sa.Column("account_sid", sa.String(34)),
    sa.Column("acknowledges_high_risk", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("suspended_at", UtcDateTime),
    sa.Column("suspended_reason", sa.Text),
    sa.Column("body_retention_days", sa.Integer, nullable=False),
    sa.Column("number_retention_days", sa.Integer, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.UniqueConstraint("organization_id", "name"),
    sa.ForeignKeyConstraint(
        ["organization_id", "account_sid"],
        ["provider_accounts.organization_id", "provider_accounts.sid"],
    ),
    sa.Index(None, "parent_id"),
    sa.Index(None, "account_sid"),
)

access_keys = add_table(
    "access_keys",
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("organization_id", sa.Uuid, sa.ForeignKey("organizations.id"), nullable=False),
    sa.Column("workspace_id", sa.Uuid, sa.ForeignKey("workspaces.id")),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("token_hash", sa.String(64), nullable=False, unique=True),
    # How the token begins; null for keys from before it was kept.
    sa.Column("token_prefix", sa.String(8)),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("expires_at", UtcDateTime),
    sa.Column("revoked_at", UtcDateTime),
    sa.Column("rate_per_second", sa.Integer, nullable=False, server_default="100"),
    sa.Column("rate_burst", sa.Integer, nullable=False, server_default="200"),
    # JSON: see app.access.principal; null without limits.
    sa.Column("limits", sa.Text),
    # Written once a minute at most.
    sa.Column("last_used_at", UtcDateTime),
    sa.Column("last_used_address", sa.String(45)),
    sa.Index(None, "organization_id", "workspace_id"),
)

# Written in the transaction of the change.
audit_events = add_table(
    "audit_events",
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("organization_id", sa.Uuid, sa.ForeignKey("organizations.id"), nullable=False),
    sa.Column("workspace_id", sa.Uuid, sa.ForeignKey("workspaces.id")),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("actor_kind", sa.String(16), nullable=False),
    sa.Column("actor_id", sa.Uuid),
    sa.Column("actor_name", sa.String(200), nullable=False),
    sa.Column("action", sa.String(60), nullable=False),
    sa.Column("target", sa.String(200)),
    sa.Column("reason", sa.Text),
    sa.Index(None, "organization_id", "id"),
    sa.Index(None, "workspace_id", "id"),
)

# Failed attempts in milliseconds since 1970, oldest first: see app.access.attempts.
failed_attempts = add_table(
    "failed_attempts",
    sa.Column("slot", sa.String(24), primary_key=True),
    sa.Column("times", sa.JSON, nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False),
    sa.Index(None, "expires_at"),
)
