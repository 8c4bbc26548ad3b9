"""Tables of destination policies, their history, and refusals."""

import sqlalchemy as sa

from app.db.types import UtcDateTime, add_table
from app.kernel.ids import NO_ID

# While a workspace inherits, its row (if it ever had its own policy) only counts
# revisions: the policy is that of the nearest ancestor that does not inherit.
destination_policies = add_table(
    "destination_policies",
    sa.Column("workspace_id", sa.Uuid, sa.ForeignKey("workspaces.id"), primary_key=True),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("destinations", sa.JSON, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
)

destination_rules = add_table(
    "destination_rules",
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("workspace_id", sa.Uuid, sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("value", sa.String(16), nullable=False),
    sa.Column("action", sa.String(16), nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("expires_at", UtcDateTime),
    sa.Column("created_at", UtcDateTime, nullable=False),
    # The workspace of the original rule: only its readers see a rule for a single number.
    sa.Column("copied_from", sa.Uuid),
    sa.Index(None, "workspace_id", "value"),
)

# One row for each effective change, with the whole policy after it.
destination_revisions = add_table(
    "destination_revisions",
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("workspace_id", sa.Uuid, sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("from_revision", sa.Integer),
    sa.Column("restored_revision", sa.Integer),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("actor_kind", sa.String(16), nullable=False),
    sa.Column("actor_id", sa.Uuid),
    sa.Column("actor_name", sa.String(200), nullable=False),
    sa.Column("action", sa.String(40), nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("inherits", sa.Boolean, nullable=False),
    sa.Column("destinations", sa.JSON, nullable=False),
    sa.Column("rules", sa.JSON, nullable=False),
    sa.Column("changes", sa.JSON, nullable=False),
    sa.UniqueConstraint("workspace_id", "revision"),
    sa.Index(None, "workspace_id", "id"),
)

refusals = add_table(
    "refusals",
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("workspace_id", sa.Uuid, sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("use_case_id", sa.Uuid),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("code", sa.String(40), nullable=False),
    sa.Column("source", sa.String(16)),
    sa.Column("country", sa.String(2)),
    sa.Column("rule", sa.String(16)),
    sa.Column("scope", sa.String(16)),
    sa.Column("revision", sa.Integer),
    sa.Column("provider_code", sa.Integer),
    sa.Column("masked_number", sa.String(16), nullable=False),
    sa.Column("segments", sa.Integer, nullable=False),
    sa.Index(None, "workspace_id", "id"),
    *(sa.Index(None, "workspace_id", name, "id") for name in ("country", "code", "use_case_id")),
)

# Counted with each refusal; `unlisted` are those above the limit per minute, which are not in
# `refusals`. No country is '', no use case or access key is
# `NO_ID`.
refusal_counts = add_table(
    "refusal_counts",
    sa.Column("workspace_id", sa.Uuid, sa.ForeignKey("workspaces.id"), primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("country", sa.String(2), primary_key=True),
    sa.Column("code", sa.String(40), primary_key=True),
    sa.Column("source", sa.String(16), primary_key=True),
    sa.Column("use_case_id", sa.Uuid, primary_key=True, default=NO_ID),
    sa.Column("access_key_id", sa.Uuid, primary_key=True, default=NO_ID),
    sa.Column("currency", sa.String(3), primary_key=True, default=""),
    sa.Column("refusals", sa.Integer, nullable=False),
    sa.Column("unlisted", sa.Integer, nullable=False),
    # Their estimated cost, in millionths of the currency.
    sa.Column("saved", sa.BigInteger, nullable=False, server_default="0"),
)

# The geo permissions of a provider account at the last check, and the refusals since.
provider_permissions = add_table(
    "provider_permissions",
    sa.Column(
        "account_sid", sa.String(34), sa.ForeignKey("provider_accounts.sid"), primary_key=True
    ),
    sa.Column("country", sa.String(2), primary_key=True),
    sa.Column("is_open", sa.Boolean, nullable=False),
    sa.Column("is_high_risk", sa.Boolean, nullable=False),
    sa.Column("noted_at", UtcDateTime, nullable=False),
    sa.Column("noted_by", sa.String(16), nullable=False),
)

provider_checks = add_table(
    "provider_checks",
    sa.Column(
        "account_sid", sa.String(34), sa.ForeignKey("provider_accounts.sid"), primary_key=True
    ),
    sa.Column("checked_at", UtcDateTime, nullable=False),
)

# Why the last check of an account failed; a check that succeeds removes it.
provider_check_problems = add_table(
    "provider_check_problems",
    sa.Column(
        "account_sid", sa.String(34), sa.ForeignKey("provider_accounts.sid"), primary_key=True
    ),
    sa.Column("code", sa.String(40), nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
)
