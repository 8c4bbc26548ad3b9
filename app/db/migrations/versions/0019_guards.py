"""guards: their configuration and its history."""

import sqlalchemy as sa
from alembic import op
import app.db.types

revision = '0019'
down_revision = '0018'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('guard_settings',
    sa.Column('workspace_id', sa.Uuid(), nullable=False),
    sa.Column('revision', sa.Integer(), nullable=False),
    sa.Column('guards', sa.JSON(), nullable=False),
    sa.Column('updated_at', app.db.types.UtcDateTime(), nullable=False),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspaces.id'], name=op.f('fk_guard_settings_workspace_id_workspaces')),
    sa.PrimaryKeyConstraint('workspace_id', name=op.f('pk_guard_settings'))
    )
    op.create_table('guard_revisions',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('workspace_id', sa.Uuid(), nullable=False),
    sa.Column('revision', sa.Integer(), nullable=False),
    sa.Column('from_revision', sa.Integer(), nullable=False),
    sa.Column('at', app.db.types.UtcDateTime(), nullable=False),
    sa.Column('actor_kind', sa.String(length=16), nullable=False),
    sa.Column('actor_id', sa.Uuid(), nullable=True),
    sa.Column('actor_name', sa.String(length=200), nullable=False),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('guards', sa.JSON(), nullable=False),
    sa.Column('use_cases', sa.JSON(), nullable=False),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspaces.id'], name=op.f('fk_guard_revisions_workspace_id_workspaces')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_guard_revisions')),
    sa.UniqueConstraint('workspace_id', 'revision', name=op.f('uq_guard_revisions_workspace_id_revision'))
    )
    op.create_index(op.f('ix_guard_revisions_workspace_id_id'), 'guard_revisions', ['workspace_id', 'id'], unique=False)
    with op.batch_alter_table('use_cases') as batch_op:
        batch_op.add_column(sa.Column('guards', sa.JSON(), nullable=True))


def downgrade() -> None:
    """Guards and their history are dropped."""
    op.drop_column('use_cases', 'guards')
    op.drop_table('guard_revisions')
    op.drop_table('guard_settings')
