"""the number that a webhook event names, with an index: `borderpost erase` finds it by that."""

import sqlalchemy as sa
from alembic import op

revision = '0015'
down_revision = '0014'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('webhook_events', sa.Column('to_number', sa.String(length=16), nullable=True))
    number = "payload::json ->> 'to_number'"
    if op.get_bind().dialect.name == 'sqlite':
        number = "json_extract(payload, '$.to_number')"
    op.execute(f"UPDATE webhook_events SET to_number = {number} WHERE type LIKE 'sms.%'")
    op.create_index(op.f('ix_webhook_events_to_number'), 'webhook_events', ['to_number'], unique=False)


def downgrade() -> None:
    op.drop_index(op.f('ix_webhook_events_to_number'), table_name='webhook_events')
    op.drop_column('webhook_events', 'to_number')
