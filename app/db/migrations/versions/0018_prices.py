"""prices, the estimate and the access key of a message, and whether its recipient converted."""

import sqlalchemy as sa
from alembic import op
import app.db.types

revision = '0018'
down_revision = '0017'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('price_lists',
    sa.Column('id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('revision', sa.Integer(), nullable=False),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('updated_at', app.db.types.UtcDateTime(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_price_lists'))
    )
    op.create_table('prices',
    sa.Column('country', sa.String(length=2), nullable=False),
    sa.Column('mccmnc', sa.String(length=6), nullable=False),
    sa.Column('valid_from', sa.Date(), nullable=False),
    sa.Column('price', sa.String(length=20), nullable=False),
    sa.PrimaryKeyConstraint('country', 'mccmnc', 'valid_from', name=op.f('pk_prices'))
    )
    op.add_column('messages', sa.Column('estimated_price', sa.BigInteger(), nullable=True))
    op.add_column('messages', sa.Column('estimate_currency', sa.String(length=3), nullable=True))
    op.add_column('messages', sa.Column('access_key_id', sa.Uuid(), nullable=True))
    op.add_column('messages', sa.Column('converted', sa.Boolean(), nullable=True))
    op.add_column('messages', sa.Column('converted_at', app.db.types.UtcDateTime(), nullable=True))


def downgrade() -> None:
    """Prices, estimates, conversions and the access keys of messages are dropped."""
    for column in ('converted_at', 'converted', 'access_key_id', 'estimate_currency', 'estimated_price'):
        op.drop_column('messages', column)
    op.drop_table('prices')
    op.drop_table('price_lists')
