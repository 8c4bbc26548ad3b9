"""Tables of submissions and messages, their events, and idempotency keys.

A submission and its message are one row. On PostgreSQL, messages and events are partitioned by
ranges of ids, see `app.messages.retention.partitions`.
"""

import sqlalchemy as sa

from app.db.types import UtcDateTime, add_table, partial_index
from app.kernel.ids import NO_ID

# Unsettled submissions have a separate index, so that overdue repairs never delay them.
IS_UNSETTLED = sa.text("submission IN ('open', 'unconfirmed')")
IS_SETTLED = sa.text("submission NOT IN ('open', 'unconfirmed')")
_DUE_UNSETTLED = sa.text("check_at IS NOT NULL AND submission IN ('open', 'unconfirmed')")
_DUE_SETTLED = sa.text("check_at IS NOT NULL AND submission NOT IN ('open', 'unconfirmed')")
_IS_KEPT = sa.text("sent_number IS NOT NULL")
_HAS_BODY = sa.text("body IS NOT NULL")
# The recipient's number is not erased. Statements that seek a number repeat this condition, as
# the index by number holds no other rows.
HAS_NUMBER = sa.text("to_number LIKE '+%'")
IS_ERASED = sa.text("to_number NOT LIKE '+%'")
_IS_LISTED = sa.text("listed_status IS NOT NULL")
OPEN = "open"
_BY_TIME = "RANGE (id)"

messages = add_table(
    "messages",
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("workspace_id", sa.Uuid, sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("use_case_id", sa.Uuid, sa.ForeignKey("use_cases.id"), nullable=False),
    sa.Column("account_sid", sa.String(34), nullable=False),
    sa.Column("submission", sa.String(16), nullable=False),
    sa.Column("provider_code", sa.Integer),
    sa.Column("to_number", sa.String(16), nullable=False),
    sa.Column("country", sa.String(2)),
    sa.Column("body", sa.Text),
    # Our own count of segments; `num_segments` is null until the carrier hand-off.
    sa.Column("counted_segments", sa.Integer, nullable=False),
    sa.Column("policy_revision", sa.Integer),
    # The Messaging Service of the message; null if several were used, or unknown.
    sa.Column("messaging_service_sid", sa.String(34)),
    # The number, kept after `to_number` is erased while the provider is asked by it.
    sa.Column("sent_number", sa.String(16)),
    sa.Column("message_sid", sa.String(34)),
    # See app.messages.lifecycle.SidSource.
    sa.Column("sid_source", sa.String(8)),
    sa.Column("from_number", sa.String(64)),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("num_segments", sa.Integer),
    sa.Column("handed_off_at", UtcDateTime),
    sa.Column("delivered_at", UtcDateTime),
    sa.Column("errored_at", UtcDateTime),
    sa.Column("error_code", sa.Integer),
    sa.Column("price", sa.String(20)),
    sa.Column("price_unit", sa.String(3)),
    # The estimated price at the send, in millionths of its currency; null without prices.
    sa.Column("estimated_price", sa.BigInteger),
    sa.Column("estimate_currency", sa.String(3)),
    # The access key of the send; null for a send from the console.
    sa.Column("access_key_id", sa.Uuid),
    # The customer's feedback: whether the recipient did what the message was for.
    sa.Column("converted", sa.Boolean),
    sa.Column("converted_at", UtcDateTime),
    # When the worker next asks the provider about it; null once nothing is left to ask. While a
    # worker asks, the end of its lease.
    sa.Column("check_at", UtcDateTime),
    sa.Column("checks", sa.Integer, nullable=False, server_default="0"),
    # The number of resends, and the time of the last one.
    sa.Column("resends", sa.Integer, nullable=False, server_default="0"),
    sa.Column("resent_at", UtcDateTime),
    # The number of its events; above a limit, reports are only counted.
    sa.Column("event_count", sa.Integer, nullable=False, server_default="0"),
    # For lists by status: `open` while the provider is asked about the message, then its status;
    # null if it was delivered or is no message. A trigger keeps it (migration 0031). `sent` does
    # not change it: an index that names `status` would make each `sent` write all indexes.
    sa.Column("listed_status", sa.String(16)),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.Index(None, "workspace_id", "id"),
    # It is only compared, and a hash takes half the space of the texts.
    sa.Index("ix_messages_sid", "message_sid", postgresql_using="hash"),
    # The next two cover the queries for the impact of policy changes.
    sa.Index(
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
    sa.Index(None, "use_case_id", "id"),
    partial_index(
        "ix_messages_listed_status", "workspace_id", "listed_status", "id", where=_IS_LISTED
    ),
    postgresql_partition_by=_BY_TIME,
)

message_events = add_table(
    "message_events",
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("message_id", sa.Uuid, nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("provider_status", sa.String(40)),
    sa.Column("error_code", sa.Integer),
    sa.Column("applied", sa.Boolean, nullable=False),
    sa.Column("reason", sa.String(16)),
    # The number of further equal reports, which are not stored.
    sa.Column("repeats", sa.Integer, nullable=False, server_default="0"),
    # A message has few events, so they are sorted as they are read.
    sa.Index(None, "message_id"),
    postgresql_partition_by=_BY_TIME,
)

idempotency_keys = add_table(
    "idempotency_keys",
    sa.Column("workspace_id", sa.Uuid, sa.ForeignKey("workspaces.id"), primary_key=True),
    sa.Column("key_hash", sa.String(64), primary_key=True),
    sa.Column("request_hash", sa.String(64), nullable=False),
    sa.Column("message_id", sa.Uuid, nullable=False),
    sa.Column("answer", sa.Text),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Index(None, "created_at"),
)

# Counts of each hour (UTC), by the worker, which always recounts a whole hour.
# Unfinished messages are `sends` minus the finished ones. No country is '', a send
# without an access key is `NO_ID`. `cost` is in millionths of the currency, which is ''
# without prices: the provider's charge, or the estimate until it is known.
message_counts = add_table(
    "message_counts",
    sa.Column("workspace_id", sa.Uuid, sa.ForeignKey("workspaces.id"), primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("hour", sa.Integer, primary_key=True),
    sa.Column("country", sa.String(2), primary_key=True),
    sa.Column("use_case_id", sa.Uuid, primary_key=True, default=NO_ID),
    sa.Column("access_key_id", sa.Uuid, primary_key=True, default=NO_ID),
    sa.Column("currency", sa.String(3), primary_key=True, default=""),
    sa.Column("sends", sa.Integer, nullable=False),
    sa.Column("delivered", sa.Integer, nullable=False),
    sa.Column("undelivered", sa.Integer, nullable=False),
    sa.Column("failed", sa.Integer, nullable=False),
    sa.Column("segments", sa.Integer, nullable=False),
    sa.Column("converted", sa.Integer, nullable=False, server_default="0"),
    sa.Column("cost", sa.BigInteger, nullable=False, server_default="0"),
    sa.Index(None, "day", "hour"),
)

# Until when messages are counted, and the lease of the counting worker.
message_counting = add_table(
    "message_counting",
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("counted_until", UtcDateTime, nullable=False),
    sa.Column("leased_until", UtcDateTime),
)

# Provider accounts that refuse our credentials or do not answer.
refusing_accounts = add_table(
    "refusing_accounts",
    sa.Column("account_sid", sa.String(34), primary_key=True),
    # A hash of the refused, encrypted auth token; a new token is tried immediately.
    sa.Column("token_hash", sa.String(64), nullable=False),
    sa.Column("provider_code", sa.Integer),
    # True: no readable answer; false: our credentials were refused.
    sa.Column("is_silent", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("since", UtcDateTime, nullable=False),
    sa.Column("last_at", UtcDateTime, nullable=False),
    sa.Column("ask_again_at", UtcDateTime, nullable=False),
)
