"""sign-in links: people choose a password through a link that works once."""

import sqlalchemy as sa
from alembic import op

import app.db.types

revision = '0029'
down_revision = '0028'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('sign_in_links',
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('token_hash', sa.String(length=64), nullable=False),
    sa.Column('created_at', app.db.types.UtcDateTime(), nullable=False),
    sa.Column('expires_at', app.db.types.UtcDateTime(), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_sign_in_links_user_id_users')),
    sa.PrimaryKeyConstraint('user_id', name=op.f('pk_sign_in_links')),
    sa.UniqueConstraint('token_hash', name=op.f('uq_sign_in_links_token_hash'))
    )


def downgrade() -> None:
    """Links to choose a password are dropped: people who have none need a new invitation."""
    op.drop_table('sign_in_links')
