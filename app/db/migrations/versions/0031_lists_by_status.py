"""messages and refusals: each filter of a list has an index of the rows that it shows."""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

_LISTED_STATUS = """CASE
  WHEN status = 'delivered' OR submission IN ('refused', 'never_processed') THEN NULL
  WHEN status IN ('pending', 'sent') AND check_at IS NOT NULL THEN 'open'
  ELSE status END"""
_IS_LISTED = sa.text("listed_status IS NOT NULL")
_ERRED = sa.text("errored_at IS NOT NULL")
_UNFINISHED = sa.text(
    "delivered_at IS NULL AND errored_at IS NULL"
    " AND submission NOT IN ('refused', 'never_processed')"
)
_REFUSALS = ("country", "code", "use_case_id")


def upgrade() -> None:
    for index in ("ix_messages_unfinished", "ix_messages_erred"):
        op.drop_index(index, table_name="messages")
    # SQLite adds no stored column to a table, PostgreSQL has no index of one that is not stored.
    stored = "STORED" if op.get_bind().dialect.name == "postgresql" else "VIRTUAL"
    op.execute(
        "ALTER TABLE messages ADD COLUMN listed_status VARCHAR(16)"
        f" GENERATED ALWAYS AS ({_LISTED_STATUS}) {stored}"
    )
    op.create_index(
        "ix_messages_listed_status",
        "messages",
        ["workspace_id", "listed_status", "id"],
        sqlite_where=_IS_LISTED,
        postgresql_where=_IS_LISTED,
    )
    for column in _REFUSALS:
        name = op.f(f"ix_refusals_workspace_id_{column}_id")
        op.create_index(name, "refusals", ["workspace_id", column, "id"])


def downgrade() -> None:
    for column in _REFUSALS:
        op.drop_index(op.f(f"ix_refusals_workspace_id_{column}_id"), table_name="refusals")
    op.drop_index("ix_messages_listed_status", table_name="messages")
    op.execute("ALTER TABLE messages DROP COLUMN listed_status")
    for name, where in (("erred", _ERRED), ("unfinished", _UNFINISHED)):
        op.create_index(
            f"ix_messages_{name}",
            "messages",
            ["workspace_id", "id"],
            sqlite_where=where,
            postgresql_where=where,
        )
