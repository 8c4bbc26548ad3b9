"""the audit is read."""

from alembic import op

revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('audit_events', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_audit_events_workspace_id_id'), ['workspace_id', 'id'], unique=False)


def downgrade() -> None:
    op.drop_index(op.f('ix_audit_events_workspace_id_id'), table_name='audit_events')
