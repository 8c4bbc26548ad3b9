"""Tables of use cases, their senders, and the opt-out list."""

from collections.abc import Iterator

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
    Uuid,
    text,
)

from app.db.types import UtcDateTime, add_table, partial_index
from app.use_cases.rules import OnUnconfirmed

# Partial indexes of tables in which a row without a use case applies to the whole workspace.
SCOPED = text("use_case_id IS NOT NULL")
WHOLE = text("use_case_id IS NULL")


def _once_in_each_scope(table: str) -> Iterator[Index]:
    """Yield the indexes by which a number has one row for a use case and one for a workspace."""
    key = "workspace_id", "to_number"
    of_use_case = f"uq_{table}_use_case", *key, "use_case_id"
    yield partial_index(*of_use_case, where=SCOPED, unique=True)
    yield partial_index(f"uq_{table}_workspace", *key, where=WHOLE, unique=True)


use_cases = add_table(
    "use_cases",
    Column("id", Uuid, primary_key=True),
    Column("workspace_id", Uuid, ForeignKey("workspaces.id"), nullable=False),
    Column("name", String(200), nullable=False),
    Column("messaging_service_sid", String(34), nullable=False),
    Column("active", Boolean, nullable=False),
    Column("brand_sid", String(34)),
    Column("brand_status", String(40)),
    Column("campaign_sid", String(34)),
    Column("campaign_status", String(40)),
    Column("allowed_destinations", JSON),
    # The guards that replace the workspace's: see app.guards.
    Column("guards", JSON),
    Column("on_unconfirmed", String(16), nullable=False, server_default=OnUnconfirmed.WAIT.value),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("deleted_at", UtcDateTime),
    Index(None, "workspace_id", "id"),
    Index(None, "messaging_service_sid"),
)

senders = add_table(
    "senders",
    Column("id", Uuid, primary_key=True),
    Column("use_case_id", Uuid, ForeignKey("use_cases.id"), nullable=False),
    Column("number", String(16), nullable=False),
    Column("type", String(16), nullable=False),
    Column("country", String(2)),
    Column("created_at", UtcDateTime, nullable=False),
    UniqueConstraint("use_case_id", "number"),
)

# The newest keyword of a recipient, or removal by an owner: an older refusal or keyword changes no
# list.
recipient_consents = add_table(
    "recipient_consents",
    Column("id", Uuid, primary_key=True),
    Column("workspace_id", Uuid, ForeignKey("workspaces.id"), nullable=False),
    Column("use_case_id", Uuid, ForeignKey("use_cases.id")),
    Column("to_number", String(16), nullable=False),
    Column("wants_messages", Boolean, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Index(None, "at"),
    *_once_in_each_scope("recipient_consents"),
)

# The counted keyword messages, so that a replay has no effect.
keyword_messages = add_table(
    "keyword_messages",
    Column("account_sid", String(34), primary_key=True),
    Column("message_sid", String(64), primary_key=True),
    # A hash of the keyword and the recipient, which a replay cannot change.
    Column("content_hash", String(64), primary_key=True),
    Column("received_at", UtcDateTime, nullable=False),
)

opt_outs = add_table(
    "opt_outs",
    Column("id", Uuid, primary_key=True),
    Column("workspace_id", Uuid, ForeignKey("workspaces.id"), nullable=False),
    Column("use_case_id", Uuid, ForeignKey("use_cases.id")),
    Column("to_number", String(16), nullable=False),
    Column("source", String(40), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    *_once_in_each_scope("opt_outs"),
)
