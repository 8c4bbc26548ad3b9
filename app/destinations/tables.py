"""Tables of destination policies, their history, and refusals."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    Uuid,
)

from app.db.types import UtcDateTime, add_table
from app.kernel.ids import NO_ID

# While a workspace inherits, its row (if it ever had its own policy) only counts
# revisions: the policy is that of the nearest ancestor that does not inherit.
destination_policies = add_table(
    "destination_policies",
    Column("workspace_id", Uuid, ForeignKey("workspaces.id"), primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("destinations", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)

destination_rules = add_table(
    "destination_rules",
    Column("id", Uuid, primary_key=True),
    Column("workspace_id", Uuid, ForeignKey("workspaces.id"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("value", String(16), nullable=False),
    Column("action", String(16), nullable=False),
    Column("reason", Text),
    Column("expires_at", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    # The workspace of the original rule: only its readers see a rule for a single number.
    Column("copied_from", Uuid),
    Index(None, "workspace_id", "value"),
)

# One row for each effective change, with the whole policy after it.
destination_revisions = add_table(
    "destination_revisions",
    Column("id", Uuid, primary_key=True),
    Column("workspace_id", Uuid, ForeignKey("workspaces.id"), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("from_revision", Integer),
    Column("restored_revision", Integer),
    Column("at", UtcDateTime, nullable=False),
    Column("actor_kind", String(16), nullable=False),
    Column("actor_id", Uuid),
    Column("actor_name", String(200), nullable=False),
    Column("action", String(40), nullable=False),
    Column("reason", Text),
    Column("inherits", Boolean, nullable=False),
    Column("destinations", JSON, nullable=False),
    Column("rules", JSON, nullable=False),
    Column("changes", JSON, nullable=False),
    UniqueConstraint("workspace_id", "revision"),
    Index(None, "workspace_id", "id"),
)

refusals = add_table(
    "refusals",
    Column("id", Uuid, primary_key=True),
    Column("workspace_id", Uuid, ForeignKey("workspaces.id"), nullable=False),
    Column("use_case_id", Uuid),
    Column("at", UtcDateTime, nullable=False),
    Column("code", String(40), nullable=False),
    Column("source", String(16)),
    Column("country", String(2)),
    Column("rule", String(16)),
    Column("scope", String(16)),
    Column("revision", Integer),
    Column("provider_code", Integer),
    Column("masked_number", String(16), nullable=False),
    Column("segments", Integer, nullable=False),
    Index(None, "workspace_id", "id"),
    *(Index(None, "workspace_id", name, "id") for name in ("country", "code", "use_case_id")),
)

# Counted with each refusal; `unlisted` are those above the limit per minute, which are not in
# `refusals`. No country is '', no use case or access key is
# `NO_ID`.
refusal_counts = add_table(
    "refusal_counts",
    Column("workspace_id", Uuid, ForeignKey("workspaces.id"), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("country", String(2), primary_key=True),
    Column("code", String(40), primary_key=True),
    Column("source", String(16), primary_key=True),
    Column("use_case_id", Uuid, primary_key=True, default=NO_ID),
    Column("access_key_id", Uuid, primary_key=True, default=NO_ID),
    Column("currency", String(3), primary_key=True, default=""),
    Column("refusals", Integer, nullable=False),
    Column("unlisted", Integer, nullable=False),
    # Their estimated cost, in millionths of the currency.
    Column("saved", BigInteger, nullable=False, server_default="0"),
)

# What a provider account's geo permissions were when last asked, and what a refusal told since.
provider_permissions = add_table(
    "provider_permissions",
    Column("account_sid", String(34), ForeignKey("provider_accounts.sid"), primary_key=True),
    Column("country", String(2), primary_key=True),
    Column("is_open", Boolean, nullable=False),
    Column("is_high_risk", Boolean, nullable=False),
    Column("noted_at", UtcDateTime, nullable=False),
    Column("noted_by", String(16), nullable=False),
)

provider_checks = add_table(
    "provider_checks",
    Column("account_sid", String(34), ForeignKey("provider_accounts.sid"), primary_key=True),
    Column("checked_at", UtcDateTime, nullable=False),
)

# Why the last check of an account failed; a check that succeeds removes it.
provider_check_problems = add_table(
    "provider_check_problems",
    Column("account_sid", String(34), ForeignKey("provider_accounts.sid"), primary_key=True),
    Column("code", String(40), nullable=False),
    Column("message", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)
