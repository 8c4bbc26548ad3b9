"""messages: the purge of numbers reads them by the index by number."""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

_HAS_NUMBER = sa.text("to_number LIKE '+%'")


def upgrade() -> None:
    op.drop_index("ix_messages_numbers", table_name="messages")


def downgrade() -> None:
    op.create_index(
        "ix_messages_numbers",
        "messages",
        ["workspace_id", "id"],
        sqlite_where=_HAS_NUMBER,
        postgresql_where=_HAS_NUMBER,
    )
