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
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from app.db.types import UtcDateTime, add_table, partial_index

# A workspace without a row has the defaults.
guard_settings = add_table(
    "guard_settings",
    Column("workspace_id", Uuid, ForeignKey("workspaces.id"), primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("guards", JSON, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)

# One row for each effective change, with the whole configuration after it.
guard_revisions = add_table(
    "guard_revisions",
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

# The counts of a guard for one value of one scope (a workspace or a use case), by
# step: see app.guards.watches. Numbers are pseudonyms. By the version, a statement notices that
# another one has inserted the row since it was read.
_COUNTS = ARRAY(BigInteger).with_variant(JSON, "sqlite")
guard_counters = add_table(
    "guard_counters",
    Column("scope_id", Uuid, primary_key=True),
    Column("guard", String(16), primary_key=True),
    Column("value", String(16), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("short_step", BigInteger, nullable=False),
    Column("short_counts", _COUNTS, nullable=False),
    Column("long_step", BigInteger, nullable=False),
    Column("long_counts", _COUNTS, nullable=False),
    # Space on each page for the next version of a row, so that updates write no index (HOT).
    postgresql_with={"fillfactor": 50},
)

# The clock hours (for `workspace` minutes) in which a guard tripped for a value: "auto" and
# suggestions ignore them. Numbers are pseudonyms.
guard_trips = add_table(
    "guard_trips",
    Column("workspace_id", Uuid, ForeignKey("workspaces.id"), primary_key=True),
    Column("guard", String(16), primary_key=True),
    Column("value", String(16), primary_key=True),
    Column("period", UtcDateTime, primary_key=True),
    Index(None, "period"),
)

_IS_OPEN = text("cleared_at IS NULL")

# `subject` identifies an alert within its
# kind; for a guard it consists of guard, window, scope and value.
alerts = add_table(
    "alerts",
    Column("id", Uuid, primary_key=True),
    Column("workspace_id", Uuid, ForeignKey("workspaces.id"), nullable=False),
    Column("kind", String(24), nullable=False),
    Column("subject", String(80), nullable=False),
    Column("guard", String(16)),
    Column("guard_window", String(8)),
    Column("scope", String(16)),
    Column("use_case_id", Uuid),
    # The shown value: a number is masked; null if there is none, or many.
    Column("value", String(16)),
    # The value in counters: a number is a pseudonym; null if there are many.
    Column("counter_value", String(16)),
    Column("mode", String(8)),
    Column("guard_limit", BigInteger),
    Column("hits", BigInteger, nullable=False),
    # The details of an alert that is not about a guard.
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
    partial_index("ix_alerts_open", "workspace_id", "kind", "subject", where=_IS_OPEN, unique=True),
)

# The values of "auto" on a day (UTC), for the workspace and for its use cases with their own
# guard; the worker writes them each day.
guard_autos = add_table(
    "guard_autos",
    Column("workspace_id", Uuid, ForeignKey("workspaces.id"), primary_key=True),
    Column("day", Date, nullable=False),
    Column("limits", JSON, nullable=False),
)

# The ranges and countries with a collapsed delivery rate, as last found by the worker.
guard_collapses = add_table(
    "guard_collapses",
    Column("workspace_id", Uuid, ForeignKey("workspaces.id"), primary_key=True),
    Column("value", String(16), primary_key=True),
    Column("share", Integer, nullable=False),
    Column("ended", Integer, nullable=False),
    Column("checked_at", UtcDateTime, nullable=False),
)
