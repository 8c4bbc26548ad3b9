"""restored revision: the history of a policy names the revision that was restored."""

import sqlalchemy as sa
from alembic import op

revision = '0027'
down_revision = '0026'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("destination_revisions", sa.Column("restored_revision", sa.Integer()))


def downgrade() -> None:
    """The record of restored revisions is dropped."""
    op.drop_column("destination_revisions", "restored_revision")
