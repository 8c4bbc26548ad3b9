"""heartbeats: clock difference, stuck task and stop; alerts: their mail."""

import sqlalchemy as sa
from alembic import op

import app.db.types

revision = '0030'
down_revision = '0029'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("worker_heartbeats", sa.Column("skew_seconds", sa.Integer()))
    op.add_column("worker_heartbeats", sa.Column("stuck_task", sa.String(length=40)))
    op.add_column("worker_heartbeats", sa.Column("stopped_at", app.db.types.UtcDateTime()))
    attempts = sa.Column("mail_attempts", sa.Integer(), server_default="0", nullable=False)
    op.add_column("alerts", attempts)
    op.add_column("alerts", sa.Column("mail_due_at", app.db.types.UtcDateTime()))
    op.add_column("alerts", sa.Column("mailed_at", app.db.types.UtcDateTime()))


def downgrade() -> None:
    """The problems of workers, and the record of mailed alerts, are dropped."""
    op.drop_column("alerts", "mailed_at")
    op.drop_column("alerts", "mail_due_at")
    op.drop_column("alerts", "mail_attempts")
    op.drop_column("worker_heartbeats", "stopped_at")
    op.drop_column("worker_heartbeats", "stuck_task")
    op.drop_column("worker_heartbeats", "skew_seconds")
