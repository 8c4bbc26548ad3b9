"""Tables of submissions and messages, their events, and idempotency keys.

A submission and its message are one row: `submission` is the state of the provider call (see
app.messages.submission). On PostgreSQL, messages and events are partitioned by ranges of ids, which
are ranges of times (see app.messages.retention.partitions).
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    Uuid,
    false,
    text,
)

from app.db.metadata import metadata
from app.db.types import UtcDateTime
from app.kernel.ids import NO_ID

# Unsettled submissions have an index of their own: overdue repairs never delay them.
IS_UNSETTLED = text("submission IN ('open', 'unconfirmed')")
IS_SETTLED = text("submission NOT IN ('open', 'unconfirmed')")
_DUE_UNSETTLED = text("check_at IS NOT NULL AND submission IN ('open', 'unconfirmed')")
_DUE_SETTLED = text("check_at IS NOT NULL AND submission NOT IN ('open', 'unconfirmed')")
_IS_KEPT = text("sent_number IS NOT NULL")
_HAS_BODY = text("body IS NOT NULL")
_HAS_NUMBER = text("to_number LIKE '+%'")
# What a `sent` changes is in neither condition: that update stays within its page.
_ERRED = text("errored_at IS NOT NULL")
UNFINISHED = text(
    "delivered_at IS NULL AND errored_at IS NULL"
    " AND submission NOT IN ('refused', 'never_processed')"
)
_BY_TIME = "RANGE (id)"

messages = Table(
    "messages",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("workspace_id", Uuid, ForeignKey("workspaces.id"), nullable=False),
    Column("use_case_id", Uuid, ForeignKey("use_cases.id"), nullable=False),
    Column("account_sid", String(34), nullable=False),
    Column("submission", String(16), nullable=False),
    Column("provider_code", Integer),
    Column("to_number", String(16), nullable=False),
    Column("country", String(2)),
    Column("body", Text),
    # What the body needs by our own count; `num_segments` stays null until the carrier hand-off.
    Column("counted_segments", Integer, nullable=False),
    Column("policy_revision", Integer),
    # The Messaging Service that the message was sent through; null where several were, or unknown.
    Column("messaging_service_sid", String(34)),
    # The number as sent, kept while the provider is asked by it and `to_number` is erased.
    Column("sent_number", String(16)),
    Column("message_sid", String(34)),
    # How the SID was learnt: see app.messages.submission.SidSource.
    Column("sid_source", String(8)),
    Column("from_number", String(64)),
    Column("status", String(16), nullable=False),
    Column("num_segments", Integer),
    Column("handed_off_at", UtcDateTime),
    Column("delivered_at", UtcDateTime),
    Column("errored_at", UtcDateTime),
    Column("error_code", Integer),
    Column("price", String(20)),
    Column("price_unit", String(3)),
    # The price as estimated at the send, in millionths of its currency; null without prices.
    Column("estimated_price", BigInteger),
    Column("estimate_currency", String(3)),
    # The access key of the send; null for one of the console.
    Column("access_key_id", Uuid),
    # Whether the recipient did what the message was for, as the customer reported it.
    Column("converted", Boolean),
    Column("converted_at", UtcDateTime),
    # When the worker asks the provider about it next; null once nothing is left to ask. While a
    # worker asks, it lies ahead by the length of a lease.
    Column("check_at", UtcDateTime),
    Column("checks", Integer, nullable=False, server_default="0"),
    # How often it was created once more because nothing was known of it, and when last.
    Column("resends", Integer, nullable=False, server_default="0"),
    Column("resent_at", UtcDateTime),
    # How many events its reports have left; beyond a bound they are counted, not kept.
    Column("event_count", Integer, nullable=False, server_default="0"),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Index(None, "workspace_id", "id"),
    Index(None, "message_sid"),
    # What a change of policy would have done is summed up from these two alone.
    Index(
        "ix_messages_country_traffic",
        "workspace_id",
        "country",
        "id",
        "submission",
        "counted_segments",
    ),
    Index(
        "ix_messages_number_traffic",
        "workspace_id",
        "to_number",
        "id",
        "submission",
        "country",
        "counted_segments",
    ),
    Index("ix_messages_due", "check_at", sqlite_where=_DUE_SETTLED, postgresql_where=_DUE_SETTLED),
    Index(
        "ix_messages_unsettled",
        "check_at",
        sqlite_where=_DUE_UNSETTLED,
        postgresql_where=_DUE_UNSETTLED,
    ),
    Index(
        "ix_messages_sent_number",
        "sent_number",
        sqlite_where=_IS_KEPT,
        postgresql_where=_IS_KEPT,
    ),
    Index(
        "ix_messages_bodies",
        "workspace_id",
        "id",
        sqlite_where=_HAS_BODY,
        postgresql_where=_HAS_BODY,
    ),
    Index(
        "ix_messages_numbers",
        "workspace_id",
        "id",
        sqlite_where=_HAS_NUMBER,
        postgresql_where=_HAS_NUMBER,
    ),
    # What people look for: what a use case sent, what went wrong, and what has not ended.
    Index(None, "use_case_id", "id"),
    Index(
        "ix_messages_erred",
        "workspace_id",
        "id",
        sqlite_where=_ERRED,
        postgresql_where=_ERRED,
    ),
    Index(
        "ix_messages_unfinished",
        "workspace_id",
        "id",
        sqlite_where=UNFINISHED,
        postgresql_where=UNFINISHED,
    ),
    postgresql_partition_by=_BY_TIME,
)

message_events = Table(
    "message_events",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("message_id", Uuid, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("status", String(16), nullable=False),
    Column("provider_status", String(40)),
    Column("error_code", Integer),
    Column("applied", Boolean, nullable=False),
    Column("reason", String(16)),
    # How many more reports like it came that were not kept.
    Column("repeats", Integer, nullable=False, server_default="0"),
    Index(None, "message_id", "id"),
    postgresql_partition_by=_BY_TIME,
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("workspace_id", Uuid, ForeignKey("workspaces.id"), primary_key=True),
    Column("key_hash", String(64), primary_key=True),
    Column("request_hash", String(64), nullable=False),
    Column("message_id", Uuid, nullable=False),
    Column("answer", Text),
    Column("created_at", UtcDateTime, nullable=False),
    Index(None, "created_at"),
)

# What was sent in each hour (UTC), counted by the worker, always a whole hour anew.
# `sends` less those that ended are still on their way. A number of no country counts under '', a
# send without an access key under `NO_ID`. `cost` is in millionths of the currency, which is ''
# without prices: what the provider charged, or the estimate until it says.
message_counts = Table(
    "message_counts",
    metadata,
    Column("workspace_id", Uuid, ForeignKey("workspaces.id"), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("hour", Integer, primary_key=True),
    Column("country", String(2), primary_key=True),
    Column("use_case_id", Uuid, primary_key=True, default=NO_ID),
    Column("access_key_id", Uuid, primary_key=True, default=NO_ID),
    Column("currency", String(3), primary_key=True, default=""),
    Column("sends", Integer, nullable=False),
    Column("delivered", Integer, nullable=False),
    Column("undelivered", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("segments", Integer, nullable=False),
    Column("converted", Integer, nullable=False, server_default="0"),
    Column("cost", BigInteger, nullable=False, server_default="0"),
    Index(None, "day", "hour"),
)

# How far the counting came, and until when it is one worker's.
message_counting = Table(
    "message_counting",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("counted_until", UtcDateTime, nullable=False),
    Column("leased_until", UtcDateTime),
)

# Provider accounts that refuse our credentials or do not answer, and when each is asked again.
refusing_accounts = Table(
    "refusing_accounts",
    metadata,
    Column("account_sid", String(34), primary_key=True),
    # Of the encrypted auth token that was refused; another token is asked with at once.
    Column("token_hash", String(64), nullable=False),
    Column("provider_code", Integer),
    # It gave no answer that can be read; otherwise it refused our credentials.
    Column("is_silent", Boolean, nullable=False, server_default=false()),
    Column("failures", Integer, nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    Column("ask_again_at", UtcDateTime, nullable=False),
)
