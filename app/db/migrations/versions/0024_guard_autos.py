"""what "auto" means in guards, and what the guard `delivery` found."""

import sqlalchemy as sa
from alembic import op
import app.db.types

revision = '0024'
down_revision = '0023'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('guard_autos',
    sa.Column('workspace_id', sa.Uuid(), nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('limits', sa.JSON(), nullable=False),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspaces.id'], name=op.f('fk_guard_autos_workspace_id_workspaces')),
    sa.PrimaryKeyConstraint('workspace_id', name=op.f('pk_guard_autos'))
    )
    op.create_table('guard_collapses',
    sa.Column('workspace_id', sa.Uuid(), nullable=False),
    sa.Column('value', sa.String(length=16), nullable=False),
    sa.Column('share', sa.Integer(), nullable=False),
    sa.Column('ended', sa.Integer(), nullable=False),
    sa.Column('checked_at', app.db.types.UtcDateTime(), nullable=False),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspaces.id'], name=op.f('fk_guard_collapses_workspace_id_workspaces')),
    sa.PrimaryKeyConstraint('workspace_id', 'value', name=op.f('pk_guard_collapses'))
    )


def downgrade() -> None:
    op.drop_table('guard_collapses')
    op.drop_table('guard_autos')
