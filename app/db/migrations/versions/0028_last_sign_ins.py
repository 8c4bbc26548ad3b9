"""last sign-ins: where sessions come from, when people signed in last, how a key begins."""

import sqlalchemy as sa
from alembic import op

import app.db.types

revision = '0028'
down_revision = '0027'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("access_keys", sa.Column("token_prefix", sa.String(length=8)))
    op.add_column("users", sa.Column("last_sign_in_at", app.db.types.UtcDateTime()))
    op.add_column("sessions", sa.Column("address", sa.String(length=45)))
    op.add_column("sessions", sa.Column("device", sa.String(length=60)))


def downgrade() -> None:
    """The devices of sessions, last sign-ins and the beginnings of keys are dropped."""
    op.drop_column("sessions", "device")
    op.drop_column("sessions", "address")
    op.drop_column("users", "last_sign_in_at")
    op.drop_column("access_keys", "token_prefix")
