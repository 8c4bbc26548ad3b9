"""web clocks: the hosts of web processes whose clock differs from the database's."""

import sqlalchemy as sa
from alembic import op

import app.db.types

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "web_clocks",
        sa.Column("host", sa.String(length=100), nullable=False),
        sa.Column("at", app.db.types.UtcDateTime(), nullable=False),
        sa.Column("skew_seconds", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("host", name=op.f("pk_web_clocks")),
    )


def downgrade() -> None:
    op.drop_table("web_clocks")
