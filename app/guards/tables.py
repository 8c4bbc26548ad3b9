"""Tables of guards: their configuration with its history. Those of use cases are in `use_cases`."""

import sqlalchemy as sa

from app.db.types import UtcDateTime, add_table, partial_index

# A workspace without a row has the defaults.
guard_settings = add_table(
    "guard_settings",
    sa.Column("workspace_id", sa.Uuid, sa.ForeignKey("workspaces.id"), primary_key=True),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("guards", sa.JSON, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
)

# One row for each effective change, with the whole configuration after it.
guard_revisions = add_table(
    "guard_revisions",
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("workspace_id", sa.Uuid, sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("from_revision", sa.Integer, nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("actor_kind", sa.String(16), nullable=False),
    sa.Column("actor_id", sa.Uuid),
    sa.Column("actor_name", sa.String(200), nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("guards", sa.JSON, nullable=False),
    sa.Column("use_cases", sa.JSON, nullable=False),
    sa.UniqueConstraint("workspace_id", "revision"),
    sa.Index(None, "workspace_id", "id"),
)

# The counts of a guard for one value of one scope (a workspace or a use case), by
# step: see app.guards.watches. Numbers are pseudonyms. By the version, a statement notices that
# another one has inserted the row since it was read.
_COUNTS = sa.ARRAY(sa.BigInteger).with_variant(sa.JSON, "sqlite")
guard_counters = add_table(
    "guard_counters",
    sa.Column("scope_id", sa.Uuid, primary_key=True),
    sa.Column("guard", sa.String(16), primary_key=True),
    sa.Column("value", sa.String(16), primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("short_step", sa.BigInteger, nullable=False),
    sa.Column("short_counts", _COUNTS, nullable=False),
    sa.Column("long_step", sa.BigInteger, nullable=False),
    sa.Column("long_counts", _COUNTS, nullable=False),
    # Space on each page for the next version of a row, so that updates write no index (HOT).
    postgresql_with={"fillfactor": 50},
)

# The clock hours (for `workspace` minutes) in which a guard tripped for a value: "auto" and
# suggestions ignore them. Numbers are pseudonyms.
guard_trips = add_table(
    "guard_trips",
    sa.Column("workspace_id", sa.Uuid, sa.ForeignKey("workspaces.id"), primary_key=True),
    sa.Column("guard", sa.String(16), primary_key=True),
    sa.Column("value", sa.String(16), primary_key=True),
    sa.Column("period", UtcDateTime, primary_key=True),
    sa.Index(None, "period"),
)

_IS_OPEN = sa.text("cleared_at IS NULL")

# `subject` identifies an alert within its
# kind; for a guard it consists of guard, window, scope and value.
alerts = add_table(
    "alerts",
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("workspace_id", sa.Uuid, sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("kind", sa.String(24), nullable=False),
    sa.Column("subject", sa.String(80), nullable=False),
    sa.Column("guard", sa.String(16)),
    sa.Column("guard_window", sa.String(8)),
    sa.Column("scope", sa.String(16)),
    sa.Column("use_case_id", sa.Uuid),
    # The shown value: a number is masked; null if there is none, or many.
    sa.Column("value", sa.String(16)),
    # The value in counters: a number is a pseudonym; null if there are many.
    sa.Column("counter_value", sa.String(16)),
    sa.Column("mode", sa.String(8)),
    sa.Column("guard_limit", sa.BigInteger),
    sa.Column("hits", sa.BigInteger, nullable=False),
    # The details of an alert that is not about a guard.
    sa.Column("details", sa.JSON),
    sa.Column("opened_at", UtcDateTime, nullable=False),
    sa.Column("last_at", UtcDateTime, nullable=False),
    sa.Column("cleared_at", UtcDateTime),
    # Of the mail about it: attempts so far, when it is due again, when it was taken.
    sa.Column("mail_attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("mail_due_at", UtcDateTime),
    sa.Column("mailed_at", UtcDateTime),
    sa.Column("acknowledged_at", UtcDateTime),
    sa.Column("acknowledged_by", sa.String(200)),
    sa.Index(None, "workspace_id", "id"),
    partial_index("ix_alerts_open", "workspace_id", "kind", "subject", where=_IS_OPEN, unique=True),
)

# The values of "auto" on a day (UTC), for the workspace and for its use cases with their own
# guard; the worker writes them each day.
guard_autos = add_table(
    "guard_autos",
    sa.Column("workspace_id", sa.Uuid, sa.ForeignKey("workspaces.id"), primary_key=True),
    sa.Column("day", sa.Date, nullable=False),
    sa.Column("limits", sa.JSON, nullable=False),
)

# The ranges and countries with a collapsed delivery rate, as last found by the worker.
guard_collapses = add_table(
    "guard_collapses",
    sa.Column("workspace_id", sa.Uuid, sa.ForeignKey("workspaces.id"), primary_key=True),
    sa.Column("value", sa.String(16), primary_key=True),
    sa.Column("share", sa.Integer, nullable=False),
    sa.Column("ended", sa.Integer, nullable=False),
    sa.Column("checked_at", UtcDateTime, nullable=False),
)
