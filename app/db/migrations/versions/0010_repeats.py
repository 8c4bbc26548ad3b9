"""repeats."""

import sqlalchemy as sa
from alembic import op

revision = '0010'
down_revision = '0009'
branch_labels = None
depends_on = None

# A message with fewer stays within the bound of 50 events although its count begins at 0.
FEW = 10


def upgrade() -> None:
    with op.batch_alter_table('messages', schema=None) as batch_op:
        batch_op.add_column(sa.Column('event_count', sa.Integer(), server_default='0', nullable=False))
    with op.batch_alter_table('message_events', schema=None) as batch_op:
        batch_op.add_column(sa.Column('repeats', sa.Integer(), server_default='0', nullable=False))
    op.execute(
        'UPDATE messages SET event_count = many.found FROM ('
        'SELECT message_id, count(*) AS found FROM message_events '
        f'GROUP BY message_id HAVING count(*) > {FEW}'
        ') AS many WHERE messages.id = many.message_id'
    )


def downgrade() -> None:
    """The counts of repeated reports are dropped."""
    op.drop_column('message_events', 'repeats')
    op.drop_column('messages', 'event_count')
