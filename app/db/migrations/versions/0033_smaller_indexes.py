"""messages and message_events: indexes that hold less.

Each index is created before the one that it replaces is dropped.
"""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

_BY_NUMBER = ["workspace_id", "to_number", "id", "submission", "country", "counted_segments"]
_HAS_NUMBER = sa.text("to_number LIKE '+%'")


def upgrade() -> None:
    # A send that has read a table and waits to write it would wait for the new index, and the drop
    # of the old one for the send: a deadlock. So the stronger lock comes first.
    if op.get_bind().dialect.name == "postgresql":
        op.execute("LOCK TABLE messages, message_events IN ACCESS EXCLUSIVE MODE")
    op.create_index(
        "ix_messages_by_number",
        "messages",
        _BY_NUMBER,
        sqlite_where=_HAS_NUMBER,
        postgresql_where=_HAS_NUMBER,
    )
    op.drop_index("ix_messages_number_traffic", table_name="messages")
    op.create_index("ix_messages_sid", "messages", ["message_sid"], postgresql_using="hash")
    op.drop_index(op.f("ix_messages_message_sid"), table_name="messages")
    op.create_index(op.f("ix_message_events_message_id"), "message_events", ["message_id"])
    op.drop_index(op.f("ix_message_events_message_id_id"), table_name="message_events")


def downgrade() -> None:
    op.create_index(op.f("ix_message_events_message_id_id"), "message_events", ["message_id", "id"])
    op.drop_index(op.f("ix_message_events_message_id"), table_name="message_events")
    op.create_index(op.f("ix_messages_message_sid"), "messages", ["message_sid"])
    op.drop_index("ix_messages_sid", table_name="messages")
    op.create_index("ix_messages_number_traffic", "messages", _BY_NUMBER)
    op.drop_index("ix_messages_by_number", table_name="messages")
