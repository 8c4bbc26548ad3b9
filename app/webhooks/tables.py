"""Tables of webhook endpoints, the outbox, deliveries and attempts.

`webhook_events.payload` contains phone numbers and is deleted with its event (see
app.webhooks.outbox).
"""

from sqlalchemy import JSON, Boolean, Column, ForeignKey, Index, Integer, String, Text, Uuid, text

from app.db.types import UtcDateTime, add_table, partial_index

_WAITS = text("fanned_out_at IS NULL")
_DUE = text("due_at IS NOT NULL")

webhook_endpoints = add_table(
    "webhook_endpoints",
    Column("id", Uuid, primary_key=True),
    Column("workspace_id", Uuid, ForeignKey("workspaces.id"), nullable=False),
    Column("url", String(2000), nullable=False),
    Column("events", JSON, nullable=False),
    # Both are encrypted (see app.db.encryption); the previous one also signs until
    # `previous_secret_until`.
    Column("secret", Text, nullable=False),
    Column("previous_secret", Text),
    Column("previous_secret_until", UtcDateTime),
    Column("active", Boolean, nullable=False),
    Column("disabled_at", UtcDateTime),
    Column("disabled_reason", String(200)),
    # The first and last failure since the last success; null after a success.
    Column("first_failed_at", UtcDateTime),
    Column("last_failed_at", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Index(None, "workspace_id", "id"),
)

webhook_events = add_table(
    "webhook_events",
    Column("id", Uuid, primary_key=True),
    Column("workspace_id", Uuid, ForeignKey("workspaces.id"), nullable=False),
    Column("type", String(40), nullable=False),
    Column("payload", Text, nullable=False),
    # The recipient in the payload, for erasing by number; null if there is none.
    Column("to_number", String(16)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("fanned_out_at", UtcDateTime),
    Index(None, "workspace_id", "id"),
    Index(None, "to_number"),
    partial_index("ix_webhook_events_waiting", "id", where=_WAITS),
)

webhook_deliveries = add_table(
    "webhook_deliveries",
    Column("id", Uuid, primary_key=True),
    Column("event_id", Uuid, ForeignKey("webhook_events.id", ondelete="CASCADE"), nullable=False),
    Column(
        "endpoint_id", Uuid, ForeignKey("webhook_endpoints.id", ondelete="CASCADE"), nullable=False
    ),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    # The time of the next attempt; null once the delivery is finished; the end of the lease while
    # a worker has claimed it.
    Column("due_at", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Index(None, "event_id"),
    Index(None, "endpoint_id", "id"),
    partial_index("ix_webhook_deliveries_due", "endpoint_id", "due_at", where=_DUE),
)

webhook_attempts = add_table(
    "webhook_attempts",
    Column("id", Uuid, primary_key=True),
    Column(
        "delivery_id", Uuid, ForeignKey("webhook_deliveries.id", ondelete="CASCADE"), nullable=False
    ),
    Column("at", UtcDateTime, nullable=False),
    Column("status", Integer),
    Column("failure", String(32)),
    Column("milliseconds", Integer, nullable=False),
    Index(None, "delivery_id", "id"),
)
