"""how SIDs were learnt, what was sent with, accounts that refuse, the newest word of recipients."""

import sqlalchemy as sa
from alembic import op
import app.db.types

revision = '0016'
down_revision = '0015'
branch_labels = None
depends_on = None

_SETTLED = sa.text("check_at IS NOT NULL AND submission NOT IN ('open', 'unconfirmed')")
_UNSETTLED = sa.text("check_at IS NOT NULL AND submission IN ('open', 'unconfirmed')")
_KEPT = sa.text('sent_number IS NOT NULL')
_SCOPED = sa.text('use_case_id IS NOT NULL')
_WHOLE = sa.text('use_case_id IS NULL')


def upgrade() -> None:
    with op.batch_alter_table('messages', schema=None) as batch_op:
        batch_op.add_column(sa.Column('messaging_service_sid', sa.String(length=34), nullable=True))
        batch_op.add_column(sa.Column('sent_number', sa.String(length=16), nullable=True))
        batch_op.add_column(sa.Column('sid_source', sa.String(length=8), nullable=True))

    op.drop_index('ix_messages_due', table_name='messages')
    op.create_index('ix_messages_due', 'messages', ['check_at'], unique=False, sqlite_where=_SETTLED, postgresql_where=_SETTLED)
    op.create_index('ix_messages_unsettled', 'messages', ['check_at'], unique=False, sqlite_where=_UNSETTLED, postgresql_where=_UNSETTLED)
    op.create_index('ix_messages_sent_number', 'messages', ['sent_number'], unique=False, sqlite_where=_KEPT, postgresql_where=_KEPT)
    op.create_table('refusing_accounts',
    sa.Column('account_sid', sa.String(length=34), nullable=False),
    sa.Column('token_hash', sa.String(length=64), nullable=False),
    sa.Column('provider_code', sa.Integer(), nullable=True),
    sa.Column('failures', sa.Integer(), nullable=False),
    sa.Column('since', app.db.types.UtcDateTime(), nullable=False),
    sa.Column('last_at', app.db.types.UtcDateTime(), nullable=False),
    sa.Column('ask_again_at', app.db.types.UtcDateTime(), nullable=False),
    sa.PrimaryKeyConstraint('account_sid', name=op.f('pk_refusing_accounts'))
    )
    op.create_table('keyword_messages',
    sa.Column('account_sid', sa.String(length=34), nullable=False),
    sa.Column('message_sid', sa.String(length=64), nullable=False),
    sa.Column('content_hash', sa.String(length=64), nullable=False),
    sa.Column('received_at', app.db.types.UtcDateTime(), nullable=False),
    sa.PrimaryKeyConstraint('account_sid', 'message_sid', 'content_hash', name=op.f('pk_keyword_messages'))
    )
    op.create_table('recipient_consents',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('workspace_id', sa.Uuid(), nullable=False),
    sa.Column('use_case_id', sa.Uuid(), nullable=True),
    sa.Column('to_number', sa.String(length=16), nullable=False),
    sa.Column('wants_messages', sa.Boolean(), nullable=False),
    sa.Column('at', app.db.types.UtcDateTime(), nullable=False),
    sa.ForeignKeyConstraint(['use_case_id'], ['use_cases.id'], name=op.f('fk_recipient_consents_use_case_id_use_cases')),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspaces.id'], name=op.f('fk_recipient_consents_workspace_id_workspaces')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_recipient_consents'))
    )
    op.create_index(op.f('ix_recipient_consents_at'), 'recipient_consents', ['at'], unique=False)
    op.create_index('uq_recipient_consents_use_case', 'recipient_consents', ['workspace_id', 'to_number', 'use_case_id'], unique=True, sqlite_where=_SCOPED, postgresql_where=_SCOPED)
    op.create_index('uq_recipient_consents_workspace', 'recipient_consents', ['workspace_id', 'to_number'], unique=True, sqlite_where=_WHOLE, postgresql_where=_WHOLE)


def downgrade() -> None:
    """The newest STOP or START of each recipient, and the sources of SIDs, are dropped."""
    due = sa.text('check_at IS NOT NULL')
    for table in ('recipient_consents', 'keyword_messages', 'refusing_accounts'):
        op.drop_table(table)
    for index in ('ix_messages_sent_number', 'ix_messages_unsettled', 'ix_messages_due'):
        op.drop_index(index, table_name='messages')
    op.create_index('ix_messages_due', 'messages', ['check_at'], unique=False, sqlite_where=due, postgresql_where=due)
    for column in ('sid_source', 'sent_number', 'messaging_service_sid'):
        op.drop_column('messages', column)
