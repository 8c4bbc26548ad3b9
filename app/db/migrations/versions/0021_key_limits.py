"""access keys: their rate, what limits them, and when and from where they were last used."""

import sqlalchemy as sa
from alembic import op
import app.db.types

revision = '0021'
down_revision = '0020'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('access_keys', sa.Column('rate_per_second', sa.Integer(), server_default='100', nullable=False))
    op.add_column('access_keys', sa.Column('rate_burst', sa.Integer(), server_default='200', nullable=False))
    op.add_column('access_keys', sa.Column('limits', sa.Text(), nullable=True))
    op.add_column('access_keys', sa.Column('last_used_at', app.db.types.UtcDateTime(), nullable=True))
    op.add_column('access_keys', sa.Column('last_used_address', sa.String(length=45), nullable=True))


def downgrade() -> None:
    """Rates and limits of access keys are dropped: a key that was limited may do all that its role may."""
    for column in ('last_used_address', 'last_used_at', 'limits', 'rate_burst', 'rate_per_second'):
        op.drop_column('access_keys', column)
