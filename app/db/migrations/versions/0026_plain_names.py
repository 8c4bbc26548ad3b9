"""plain names: a workspace is suspended, and periodic jobs have leases.

Every row is kept: columns and a table get other names.
"""

from alembic import op

revision = '0026'
down_revision = '0025'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE workspaces RENAME COLUMN frozen_at TO suspended_at")
    op.execute("ALTER TABLE workspaces RENAME COLUMN frozen_reason TO suspended_reason")
    op.execute("ALTER TABLE turns RENAME TO leases")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE leases RENAME CONSTRAINT pk_turns TO pk_leases")


def downgrade() -> None:
    op.execute("ALTER TABLE workspaces RENAME COLUMN suspended_reason TO frozen_reason")
    op.execute("ALTER TABLE workspaces RENAME COLUMN suspended_at TO frozen_at")
    op.execute("ALTER TABLE leases RENAME TO turns")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE turns RENAME CONSTRAINT pk_leases TO pk_turns")
