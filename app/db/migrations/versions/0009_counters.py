"""counters of messages, and indexes of what people look for."""

import sqlalchemy as sa
from alembic import op
import app.db.types

revision = '0009'
down_revision = '0005'
branch_labels = None
depends_on = None

_ERRED = sa.text('errored_at IS NOT NULL')
_UNFINISHED = sa.text("delivered_at IS NULL AND errored_at IS NULL AND submission NOT IN ('refused', 'never_processed')")


def upgrade() -> None:
    op.create_index('ix_messages_erred', 'messages', ['workspace_id', 'id'], unique=False, sqlite_where=_ERRED, postgresql_where=_ERRED)
    op.create_index('ix_messages_unfinished', 'messages', ['workspace_id', 'id'], unique=False, sqlite_where=_UNFINISHED, postgresql_where=_UNFINISHED)
    op.create_index(op.f('ix_messages_use_case_id_id'), 'messages', ['use_case_id', 'id'], unique=False)
