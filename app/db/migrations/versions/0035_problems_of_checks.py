"""provider check problems: the last failed reading of an account's geo permissions."""

import sqlalchemy as sa
from alembic import op

import app.db.types

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "provider_check_problems",
        sa.Column("account_sid", sa.String(length=34), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("at", app.db.types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_sid"],
            ["provider_accounts.sid"],
            name=op.f("fk_provider_check_problems_account_sid_provider_accounts"),
        ),
        sa.PrimaryKeyConstraint("account_sid", name=op.f("pk_provider_check_problems")),
    )


def downgrade() -> None:
    op.drop_table("provider_check_problems")
