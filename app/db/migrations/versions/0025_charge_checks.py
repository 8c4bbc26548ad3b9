"""until when the charges of each provider account were read."""

import sqlalchemy as sa
from alembic import op
import app.db.types

revision = '0025'
down_revision = '0024'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('charge_checks',
    sa.Column('account_sid', sa.String(length=34), nullable=False),
    sa.Column('look', sa.String(length=8), nullable=False),
    sa.Column('checked_until', app.db.types.UtcDateTime(), nullable=False),
    sa.PrimaryKeyConstraint('account_sid', 'look', name=op.f('pk_charge_checks'))
    )


def downgrade() -> None:
    op.drop_table('charge_checks')
