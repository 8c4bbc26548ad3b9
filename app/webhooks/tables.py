"""Tables of webhook endpoints, the outbox, deliveries and attempts.

`webhook_events.payload` contains phone numbers and is deleted with its event (see
app.webhooks.outbox).
"""

import sqlalchemy as sa

from app.db.types import UtcDateTime, add_table, partial_index

_WAITS = sa.text("fanned_out_at IS NULL")
_DUE = sa.text("due_at IS NOT NULL")

webhook_endpoints = add_table(
    "webhook_endpoints",
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("workspace_id", sa.Uuid, sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("url", sa.String(2000), nullable=False),
    sa.Column("events", sa.JSON, nullable=False),
    # Both are encrypted (see app.db.encryption); the previous one also signs until
    # `previous_secret_until`.
    sa.Column("secret", sa.Text, nullable=False),
    sa.Column("previous_secret", sa.Text),
    sa.Column("previous_secret_until", UtcDateTime),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("disabled_at", UtcDateTime),
    sa.Column("disabled_reason", sa.String(200)),
    # The first and last failure since the last success; null after a success.
    sa.Column("first_failed_at", UtcDateTime),
    sa.Column("last_failed_at", UtcDateTime),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.Index(None, "workspace_id", "id"),
)

webhook_events = add_table(
    "webhook_events",
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("workspace_id", sa.Uuid, sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("type", sa.String(40), nullable=False),
    sa.Column("payload", sa.Text, nullable=False),
    # The recipient in the payload, for erasing by number; null if there is none.
    sa.Column("to_number", sa.String(16)),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("fanned_out_at", UtcDateTime),
    sa.Index(None, "workspace_id", "id"),
    sa.Index(None, "to_number"),
    partial_index("ix_webhook_events_waiting", "id", where=_WAITS),
)

webhook_deliveries = add_table(
    "webhook_deliveries",
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column(
        "event_id", sa.Uuid, sa.ForeignKey("webhook_events.id", ondelete="CASCADE"), nullable=False
    ),
    sa.Column(
        "endpoint_id",
        sa.Uuid,
        sa.ForeignKey("webhook_endpoints.id", ondelete="CASCADE"),
        nullable=False,
    ),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    # The time of the next attempt; null once the delivery is finished; the end of the lease while
    # a worker has claimed it.
    sa.Column("due_at", UtcDateTime),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Index(None, "event_id"),
    sa.Index(None, "endpoint_id", "id"),
    partial_index("ix_webhook_deliveries_due", "endpoint_id", "due_at", where=_DUE),
)

webhook_attempts = add_table(
    "webhook_attempts",
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column(
        "delivery_id",
        sa.Uuid,
        sa.ForeignKey("webhook_deliveries.id", ondelete="CASCADE"),
        nullable=False,
    ),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("status", sa.Integer),
    sa.Column("failure", sa.String(32)),
    sa.Column("milliseconds", sa.Integer, nullable=False),
    sa.Index(None, "delivery_id", "id"),
)
