"""Tables of guards: their configuration with its history. Those of use cases are in `use_cases`."""

from sqlalchemy import (
    JSON,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)

from app.db.metadata import metadata
from app.db.types import UtcDateTime

# A workspace that never set any has no row and the defaults.
guard_settings = Table(
    "guard_settings",
    metadata,
    Column("workspace_id", Uuid, ForeignKey("workspaces.id"), primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("guards", JSON, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)

# One row for each change that changed something, with the whole configuration as it was after it.
guard_revisions = Table(
    "guard_revisions",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("workspace_id", Uuid, ForeignKey("workspaces.id"), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("from_revision", Integer, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("actor_kind", String(16), nullable=False),
    Column("actor_id", Uuid),
    Column("actor_name", String(200), nullable=False),
    Column("reason", Text),
    Column("guards", JSON, nullable=False),
    Column("use_cases", JSON, nullable=False),
    UniqueConstraint("workspace_id", "revision"),
    Index(None, "workspace_id", "id"),
)
