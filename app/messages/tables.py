"""Tables of submissions and messages, their events, and idempotency keys.

A submission and its message are one row (see app.messages.lifecycle). On PostgreSQL, messages and
events are partitioned by ranges of ids, which are ranges of times (see
app.messages.retention.partitions).
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
    Text,
    Uuid,
    false,
    text,
)

from app.db.types import UtcDateTime, add_table, partial_index
from app.kernel.ids import NO_ID

# Unsettled submissions have a separate index, so that overdue repairs never delay them.
IS_UNSETTLED = text("submission IN ('open', 'unconfirmed')")
IS_SETTLED = text("submission NOT IN ('open', 'unconfirmed')")
_DUE_UNSETTLED = text("check_at IS NOT NULL AND submission IN ('open', 'unconfirmed')")
_DUE_SETTLED = text("check_at IS NOT NULL AND submission NOT IN ('open', 'unconfirmed')")
_IS_KEPT = text("sent_number IS NOT NULL")
_HAS_BODY = text("body IS NOT NULL")
# The recipient's number is not erased. Statements that seek a number repeat this condition, as
# the index by number holds no other rows.
HAS_NUMBER = text("to_number LIKE '+%'")
IS_ERASED = text("to_number NOT LIKE '+%'")
_IS_LISTED = text("listed_status IS NOT NULL")
OPEN = "open"
_BY_TIME = "RANGE (id)"

messages = add_table(
    "messages",
    Column("id", Uuid, primary_key=True),
    Column("workspace_id", Uuid, ForeignKey("workspaces.id"), nullable=False),
    Column("use_case_id", Uuid, ForeignKey("use_cases.id"), nullable=False),
    Column("account_sid", String(34), nullable=False),
    Column("submission", String(16), nullable=False),
    Column("provider_code", Integer),
    Column("to_number", String(16), nullable=False),
    Column("country", String(2)),
    Column("body", Text),
    # Our own count of segments; `num_segments` is null until the carrier hand-off.
    Column("counted_segments", Integer, nullable=False),
    Column("policy_revision", Integer),
    # The Messaging Service of the message; null if several were used, or unknown.
    Column("messaging_service_sid", String(34)),
    # The number, kept after `to_number` is erased while the provider is asked by it.
    Column("sent_number", String(16)),
    Column("message_sid", String(34)),
    # See app.messages.lifecycle.SidSource.
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
    # The estimated price at the send, in millionths of its currency; null without prices.
    Column("estimated_price", BigInteger),
    Column("estimate_currency", String(3)),
    # The access key of the send; null for a send from the console.
    Column("access_key_id", Uuid),
    # The customer's feedback: whether the recipient did what the message was for.
    Column("converted", Boolean),
    Column("converted_at", UtcDateTime),
    # When the worker next asks the provider about it; null once nothing is left to ask. While a
    # worker asks, the end of its lease.
    Column("check_at", UtcDateTime),
    Column("checks", Integer, nullable=False, server_default="0"),
    # The number of resends, and the time of the last one.
    Column("resends", Integer, nullable=False, server_default="0"),
    Column("resent_at", UtcDateTime),
    # The number of its events; above a limit, reports are only counted.
    Column("event_count", Integer, nullable=False, server_default="0"),
    # For lists by status: `open` while the provider is asked about the message, then its status;
    # null if it was delivered or is no message. A trigger keeps it (migration 0031). `sent` does
    # not change it: an index that names `status` would make each `sent` write all indexes.
    Column("listed_status", String(16)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Index(None, "workspace_id", "id"),
    # It is only compared, and a hash takes half the space of the texts.
    Index("ix_messages_sid", "message_sid", postgresql_using="hash"),
    # The next two cover the queries for the impact of policy changes.
    Index(
        "ix_messages_country_traffic",
        "workspace_id",
        "country",
        "id",
        "submission",
        "counted_segments",
    ),
    partial_index(
        "ix_messages_by_number",
        "workspace_id",
        "to_number",
        "id",
        "submission",
        "country",
        "counted_segments",
        where=HAS_NUMBER,
    ),
    partial_index("ix_messages_due", "check_at", where=_DUE_SETTLED),
    partial_index("ix_messages_unsettled", "check_at", where=_DUE_UNSETTLED),
    partial_index("ix_messages_sent_number", "sent_number", where=_IS_KEPT),
    partial_index("ix_messages_bodies", "workspace_id", "id", where=_HAS_BODY),
    Index(None, "use_case_id", "id"),
    partial_index(
        "ix_messages_listed_status", "workspace_id", "listed_status", "id", where=_IS_LISTED
    ),
    postgresql_partition_by=_BY_TIME,
)

message_events = add_table(
    "message_events",
    Column("id", Uuid, primary_key=True),
    Column("message_id", Uuid, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("status", String(16), nullable=False),
    Column("provider_status", String(40)),
    Column("error_code", Integer),
    Column("applied", Boolean, nullable=False),
    Column("reason", String(16)),
    # The number of further equal reports, which are not stored.
    Column("repeats", Integer, nullable=False, server_default="0"),
    # A message has few events, so they are sorted as they are read.
    Index(None, "message_id"),
    postgresql_partition_by=_BY_TIME,
)

idempotency_keys = add_table(
    "idempotency_keys",
    Column("workspace_id", Uuid, ForeignKey("workspaces.id"), primary_key=True),
    Column("key_hash", String(64), primary_key=True),
    Column("request_hash", String(64), nullable=False),
    Column("message_id", Uuid, nullable=False),
    Column("answer", Text),
    Column("created_at", UtcDateTime, nullable=False),
    Index(None, "created_at"),
)

# Counts of each hour (UTC), by the worker, which always recounts a whole hour.
# Unfinished messages are `sends` minus the finished ones. No country is '', a send
# without an access key is `NO_ID`. `cost` is in millionths of the currency, which is ''
# without prices: the provider's charge, or the estimate until it is known.
message_counts = add_table(
    "message_counts",
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

# Until when messages are counted, and the lease of the counting worker.
message_counting = add_table(
    "message_counting",
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("counted_until", UtcDateTime, nullable=False),
    Column("leased_until", UtcDateTime),
)

# Provider accounts that refuse our credentials or do not answer.
refusing_accounts = add_table(
    "refusing_accounts",
    Column("account_sid", String(34), primary_key=True),
    # A hash of the refused, encrypted auth token; a new token is tried immediately.
    Column("token_hash", String(64), nullable=False),
    Column("provider_code", Integer),
    # True: no readable answer; false: our credentials were refused.
    Column("is_silent", Boolean, nullable=False, server_default=false()),
    Column("failures", Integer, nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    Column("ask_again_at", UtcDateTime, nullable=False),
)
