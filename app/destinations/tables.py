"""Tables of destination policies and of what they turned away."""

from sqlalchemy import JSON, Column, ForeignKey, Index, Integer, String, Table, Uuid

from app.db.metadata import metadata
from app.db.types import UtcDateTime

# A workspace that inherits has no row: its policy is its nearest ancestor's that does not inherit.
destination_policies = Table(
    "destination_policies",
    metadata,
    Column("workspace_id", Uuid, ForeignKey("workspaces.id"), primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("destinations", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)

refusals = Table(
    "refusals",
    metadata,
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
)
