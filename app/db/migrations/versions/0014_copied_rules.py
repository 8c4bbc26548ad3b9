"""copied rules: a rule says which workspace's policy it was copied from."""

import sqlalchemy as sa
from alembic import op

revision = '0014'
down_revision = '0013'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('destination_rules', schema=None) as batch_op:
        batch_op.add_column(sa.Column('copied_from', sa.Uuid(), nullable=True))


def downgrade() -> None:
    """The sources of copied rules are dropped."""
    op.drop_column('destination_rules', 'copied_from')
