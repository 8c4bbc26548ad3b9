"""counters of guards, and alerts."""

import sqlalchemy as sa
from alembic import op
import app.db.types

revision = '0020'
down_revision = '0019'
branch_labels = None
depends_on = None

_COUNTS = sa.ARRAY(sa.BigInteger()).with_variant(sa.JSON(), 'sqlite')


def upgrade() -> None:
    op.create_table('guard_counters',
    sa.Column('scope_id', sa.Uuid(), nullable=False),
    sa.Column('guard', sa.String(length=16), nullable=False),
    sa.Column('value', sa.String(length=16), nullable=False),
    sa.Column('version', sa.BigInteger(), nullable=False),
    sa.Column('short_step', sa.BigInteger(), nullable=False),
    sa.Column('short_counts', _COUNTS, nullable=False),
    sa.Column('long_step', sa.BigInteger(), nullable=False),
    sa.Column('long_counts', _COUNTS, nullable=False),
    sa.PrimaryKeyConstraint('scope_id', 'guard', 'value', name=op.f('pk_guard_counters')),
    postgresql_with={'fillfactor': 50}
    )
    op.create_table('guard_trips',
    sa.Column('workspace_id', sa.Uuid(), nullable=False),
    sa.Column('guard', sa.String(length=16), nullable=False),
    sa.Column('value', sa.String(length=16), nullable=False),
    sa.Column('period', app.db.types.UtcDateTime(), nullable=False),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspaces.id'], name=op.f('fk_guard_trips_workspace_id_workspaces')),
    sa.PrimaryKeyConstraint('workspace_id', 'guard', 'value', 'period', name=op.f('pk_guard_trips'))
    )
    op.create_index(op.f('ix_guard_trips_period'), 'guard_trips', ['period'], unique=False)
    op.create_table('alerts',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('workspace_id', sa.Uuid(), nullable=False),
    sa.Column('kind', sa.String(length=24), nullable=False),
    sa.Column('subject', sa.String(length=80), nullable=False),
    sa.Column('guard', sa.String(length=16), nullable=True),
    sa.Column('guard_window', sa.String(length=8), nullable=True),
    sa.Column('scope', sa.String(length=16), nullable=True),
    sa.Column('use_case_id', sa.Uuid(), nullable=True),
    sa.Column('value', sa.String(length=16), nullable=True),
    sa.Column('counter_value', sa.String(length=16), nullable=True),
    sa.Column('mode', sa.String(length=8), nullable=True),
    sa.Column('guard_limit', sa.BigInteger(), nullable=True),
    sa.Column('hits', sa.BigInteger(), nullable=False),
    sa.Column('details', sa.JSON(), nullable=True),
    sa.Column('opened_at', app.db.types.UtcDateTime(), nullable=False),
    sa.Column('last_at', app.db.types.UtcDateTime(), nullable=False),
    sa.Column('cleared_at', app.db.types.UtcDateTime(), nullable=True),
    sa.Column('acknowledged_at', app.db.types.UtcDateTime(), nullable=True),
    sa.Column('acknowledged_by', sa.String(length=200), nullable=True),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspaces.id'], name=op.f('fk_alerts_workspace_id_workspaces')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_alerts'))
    )
    op.create_index(op.f('ix_alerts_workspace_id_id'), 'alerts', ['workspace_id', 'id'], unique=False)
    op.create_index('ix_alerts_open', 'alerts', ['workspace_id', 'kind', 'subject'], unique=True, sqlite_where=sa.text('cleared_at IS NULL'), postgresql_where=sa.text('cleared_at IS NULL'))


def downgrade() -> None:
    """The counts of guards, and alerts, are dropped."""
    for table in ('alerts', 'guard_trips', 'guard_counters'):
        op.drop_table(table)
