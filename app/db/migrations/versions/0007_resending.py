"""resending."""

import sqlalchemy as sa
from alembic import op
import app.db.types

revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('turns',
    sa.Column('job', sa.String(length=40), nullable=False),
    sa.Column('due_at', app.db.types.UtcDateTime(), nullable=False),
    sa.PrimaryKeyConstraint('job', name=op.f('pk_turns'))
    )
    with op.batch_alter_table('messages', schema=None) as batch_op:
        batch_op.add_column(sa.Column('resends', sa.Integer(), server_default='0', nullable=False))
        batch_op.add_column(sa.Column('resent_at', app.db.types.UtcDateTime(), nullable=True))

    with op.batch_alter_table('use_cases', schema=None) as batch_op:
        batch_op.add_column(sa.Column('on_unconfirmed', sa.String(length=16), server_default='wait', nullable=False))


def downgrade() -> None:
    """The rules of use cases for unconfirmed sends, and the counts of resends, are dropped."""
    op.drop_column('use_cases', 'on_unconfirmed')
    op.drop_column('messages', 'resent_at')
    op.drop_column('messages', 'resends')
    op.drop_table('turns')
