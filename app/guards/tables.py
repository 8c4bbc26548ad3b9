"""Tables of guards: their configuration with its history. Those of use cases are in `use_cases`."""

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
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

# What the windows of a guard hold for one value of one scope (a workspace or a use case), step by
# step: see app.guards.windows. Numbers are pseudonyms. The version lets a statement notice that
# another one has made the row since it was looked for.
_COUNTS = ARRAY(BigInteger).with_variant(JSON, "sqlite")
guard_counters = Table(
    "guard_counters",
    metadata,
    Column("scope_id", Uuid, primary_key=True),
    Column("guard", String(16), primary_key=True),
    Column("value", String(16), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("short_step", BigInteger, nullable=False),
    Column("short_counts", _COUNTS, nullable=False),
    Column("long_step", BigInteger, nullable=False),
    Column("long_counts", _COUNTS, nullable=False),
    # Room on each page for the next version of a row, so that no index has to be written.
    postgresql_with={"fillfactor": 50},
)

# In which clock hours, of `workspace` in which minutes, a guard tripped for a value: "auto" and
# suggestions leave them out. Numbers are pseudonyms.
guard_trips = Table(
    "guard_trips",
    metadata,
    Column("workspace_id", Uuid, ForeignKey("workspaces.id"), primary_key=True),
    Column("guard", String(16), primary_key=True),
    Column("value", String(16), primary_key=True),
    Column("period", UtcDateTime, primary_key=True),
    Index(None, "period"),
)

_IS_OPEN = text("cleared_at IS NULL")

# Something that its owner should look at, from its opening until it is over. `subject` tells alerts
# of one kind apart; of an alert about a guard it is made of guard, window, scope and value.
alerts = Table(
    "alerts",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("workspace_id", Uuid, ForeignKey("workspaces.id"), nullable=False),
    Column("kind", String(24), nullable=False),
    Column("subject", String(80), nullable=False),
    Column("guard", String(16)),
    Column("guard_window", String(8)),
    Column("scope", String(16)),
    Column("use_case_id", Uuid),
    # As it is shown: a number is masked; null where there is none, or many.
    Column("value", String(16)),
    # As counters have it: a number is a pseudonym; null where there are many.
    Column("counter_value", String(16)),
    Column("mode", String(8)),
    Column("guard_limit", BigInteger),
    Column("hits", BigInteger, nullable=False),
    # What an alert that is not about a guard says.
    Column("details", JSON),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    Column("cleared_at", UtcDateTime),
    # Of the mail about it: attempts so far, when it is due again, when it was taken.
    Column("mail_attempts", Integer, nullable=False, server_default="0"),
    Column("mail_due_at", UtcDateTime),
    Column("mailed_at", UtcDateTime),
    Column("acknowledged_at", UtcDateTime),
    Column("acknowledged_by", String(200)),
    Index(None, "workspace_id", "id"),
    Index(
        "ix_alerts_open",
        "workspace_id",
        "kind",
        "subject",
        unique=True,
        sqlite_where=_IS_OPEN,
        postgresql_where=_IS_OPEN,
    ),
)

# What "auto" means on a day (UTC), for the workspace and for those of its use cases that have a
# guard with it; the worker writes it anew each day.
guard_autos = Table(
    "guard_autos",
    metadata,
    Column("workspace_id", Uuid, ForeignKey("workspaces.id"), primary_key=True),
    Column("day", Date, nullable=False),
    Column("limits", JSON, nullable=False),
)

# The ranges and countries whose share delivered has collapsed, as the worker last found them.
guard_collapses = Table(
    "guard_collapses",
    metadata,
    Column("workspace_id", Uuid, ForeignKey("workspaces.id"), primary_key=True),
    Column("value", String(16), primary_key=True),
    Column("share", Integer, nullable=False),
    Column("ended", Integer, nullable=False),
    Column("checked_at", UtcDateTime, nullable=False),
)
