"""counters of messages, and indexes of what people look for."""

import sqlalchemy as sa
from alembic import op
import app.db.types

revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None

_ERRED = sa.text('errored_at IS NOT NULL')
_UNFINISHED = sa.text("delivered_at IS NULL AND errored_at IS NULL AND submission NOT IN ('refused', 'never_processed')")


def upgrade() -> None:
    op.create_index('ix_messages_erred', 'messages', ['workspace_id', 'id'], unique=False, sqlite_where=_ERRED, postgresql_where=_ERRED)
    op.create_index('ix_messages_unfinished', 'messages', ['workspace_id', 'id'], unique=False, sqlite_where=_UNFINISHED, postgresql_where=_UNFINISHED)
    op.create_index(op.f('ix_messages_use_case_id_id'), 'messages', ['use_case_id', 'id'], unique=False)
    op.create_table('message_counts',
    sa.Column('workspace_id', sa.Uuid(), nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('hour', sa.Integer(), nullable=False),
    sa.Column('country', sa.String(length=2), nullable=False),
    sa.Column('sends', sa.Integer(), nullable=False),
    sa.Column('delivered', sa.Integer(), nullable=False),
    sa.Column('undelivered', sa.Integer(), nullable=False),
    sa.Column('failed', sa.Integer(), nullable=False),
    sa.Column('segments', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspaces.id'], name=op.f('fk_message_counts_workspace_id_workspaces')),
    sa.PrimaryKeyConstraint('workspace_id', 'day', 'hour', 'country', name=op.f('pk_message_counts'))
    )
    op.create_index(op.f('ix_message_counts_day_hour'), 'message_counts', ['day', 'hour'], unique=False)
    op.create_table('message_counting',
    sa.Column('id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('counted_until', app.db.types.UtcDateTime(), nullable=False),
    sa.Column('leased_until', app.db.types.UtcDateTime(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_message_counting'))
    )


def downgrade() -> None:
    """The hourly counts of messages are dropped."""
    op.drop_table('message_counting')
    op.drop_table('message_counts')
    for index in ('ix_messages_use_case_id_id', 'ix_messages_unfinished', 'ix_messages_erred'):
        op.drop_index(index, table_name='messages')
