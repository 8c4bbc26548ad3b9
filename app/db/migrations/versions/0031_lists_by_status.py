"""messages and refusals: each filter of a list has an index of the rows that it shows."""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

_RULE = """CASE
  WHEN {row}status = 'delivered' OR {row}submission IN ('refused', 'never_processed') THEN NULL
  WHEN {row}status IN ('pending', 'sent') AND {row}check_at IS NOT NULL THEN 'open'
  ELSE {row}status END"""
_LISTED, _LISTED_OF_NEW = _RULE.format(row=""), _RULE.format(row="NEW.")
# A trigger keeps the column, which is no generated one: PostgreSQL rewrites the table to add a
# stored one. A condition of the trigger would be slower there than the function: PostgreSQL parses
# it again for each statement.
_TRIGGERS = {
    "sqlite": [
        f"""CREATE TRIGGER messages_listed_status_{name} AFTER {event} ON messages
  WHEN NEW.listed_status IS NOT {_LISTED_OF_NEW}
  BEGIN UPDATE messages SET listed_status = {_LISTED} WHERE id = NEW.id; END"""
        for name, event in (
            ("insert", "INSERT"),
            ("update", "UPDATE OF status, submission, check_at"),
        )
    ],
    "postgresql": [
        f"""CREATE FUNCTION messages_listed_status() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN NEW.listed_status := {_LISTED_OF_NEW}; RETURN NEW; END $$""",
        f"""CREATE TRIGGER messages_listed_status BEFORE INSERT OR UPDATE ON messages FOR EACH ROW
  EXECUTE FUNCTION messages_listed_status()""",
    ],
}
_NO_TRIGGERS = {
    "sqlite": [
        "DROP TRIGGER messages_listed_status_insert",
        "DROP TRIGGER messages_listed_status_update",
    ],
    "postgresql": [
        "DROP TRIGGER messages_listed_status ON messages",
        "DROP FUNCTION messages_listed_status",
    ],
}
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
    op.add_column("messages", sa.Column("listed_status", sa.String(16)))
    op.execute(f"UPDATE messages SET listed_status = {_LISTED} WHERE {_LISTED} IS NOT NULL")
    for statement in _TRIGGERS[op.get_bind().dialect.name]:
        op.execute(statement)
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
    for statement in _NO_TRIGGERS[op.get_bind().dialect.name]:
        op.execute(statement)
    op.drop_column("messages", "listed_status")
    for name, where in (("erred", _ERRED), ("unfinished", _UNFINISHED)):
        op.create_index(
            f"ix_messages_{name}",
            "messages",
            ["workspace_id", "id"],
            sqlite_where=where,
            postgresql_where=where,
        )
