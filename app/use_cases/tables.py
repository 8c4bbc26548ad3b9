"""Tables of use cases, their senders, and the opt-out list."""

from collections.abc import Iterator

import sqlalchemy as sa

from app.db.types import UtcDateTime, add_table, partial_index
from app.use_cases.rules import OnUnconfirmed

# Partial indexes of tables in which a row without a use case applies to the whole workspace.
SCOPED = sa.text("use_case_id IS NOT NULL")
WHOLE = sa.text("use_case_id IS NULL")


def _once_in_each_scope(table: str) -> Iterator[sa.Index]:
    """Yield the indexes by which a number has one row for a use case and one for a workspace."""
    key = "workspace_id", "to_number"
    of_use_case = f"uq_{table}_use_case", *key, "use_case_id"
    yield partial_index(*of_use_case, where=SCOPED, unique=True)
    yield partial_index(f"uq_{table}_workspace", *key, where=WHOLE, unique=True)


use_cases = add_table(
    "use_cases",
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("workspace_id", sa.Uuid, sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("messaging_service_sid", sa.String(34), nullable=False),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("brand_sid", sa.String(34)),
    sa.Column("brand_status", sa.String(40)),
    sa.Column("campaign_sid", sa.String(34)),
    sa.Column("campaign_status", sa.String(40)),
    sa.Column("allowed_destinations", sa.JSON),
    # The guards that replace the workspace's: see app.guards.
    sa.Column("guards", sa.JSON),
    sa.Column(
        "on_unconfirmed", sa.String(16), nullable=False, server_default=OnUnconfirmed.WAIT.value
    ),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.Column("deleted_at", UtcDateTime),
    sa.Index(None, "workspace_id", "id"),
    sa.Index(None, "messaging_service_sid"),
)

senders = add_table(
    "senders",
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("use_case_id", sa.Uuid, sa.ForeignKey("use_cases.id"), nullable=False),
    sa.Column("number", sa.String(16), nullable=False),
    sa.Column("type", sa.String(16), nullable=False),
    sa.Column("country", sa.String(2)),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.UniqueConstraint("use_case_id", "number"),
)

# The newest keyword of a recipient, or removal by an owner: an older refusal or keyword changes no
# list.
recipient_consents = add_table(
    "recipient_consents",
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("workspace_id", sa.Uuid, sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("use_case_id", sa.Uuid, sa.ForeignKey("use_cases.id")),
    sa.Column("to_number", sa.String(16), nullable=False),
    sa.Column("wants_messages", sa.Boolean, nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Index(None, "at"),
    *_once_in_each_scope("recipient_consents"),
)

# The counted keyword messages, so that a replay has no effect.
keyword_messages = add_table(
    "keyword_messages",
    sa.Column("account_sid", sa.String(34), primary_key=True),
    sa.Column("message_sid", sa.String(64), primary_key=True),
    # A hash of the keyword and the recipient, which a replay cannot change.
    sa.Column("content_hash", sa.String(64), primary_key=True),
    sa.Column("received_at", UtcDateTime, nullable=False),
)

opt_outs = add_table(
    "opt_outs",
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("workspace_id", sa.Uuid, sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("use_case_id", sa.Uuid, sa.ForeignKey("use_cases.id")),
    sa.Column("to_number", sa.String(16), nullable=False),
    sa.Column("source", sa.String(40), nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    *_once_in_each_scope("opt_outs"),
)
