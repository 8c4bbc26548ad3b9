"""accounts that do not answer are noted beside those that refuse our credentials."""

import sqlalchemy as sa
from alembic import op

revision = '0023'
down_revision = '0022'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        'refusing_accounts',
        sa.Column('is_silent', sa.Boolean(), server_default=sa.false(), nullable=False),
    )


def downgrade() -> None:
    op.drop_column('refusing_accounts', 'is_silent')
