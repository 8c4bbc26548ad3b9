"""counters of messages and refusals by use case and access key, with what they cost or saved.

What was counted before has neither: the worker counts the last 31 days of messages anew.
"""

import sqlalchemy as sa
from alembic import op

revision = '0022'
down_revision = '0021'
branch_labels = None
depends_on = None

_COUNTS = 'workspace_id, day, hour, country, sends, delivered, undelivered, failed, segments'
_REFUSALS = 'workspace_id, day, country, code, source, refusals, unlisted'


def upgrade() -> None:
    is_sqlite = op.get_bind().dialect.name == 'sqlite'
    no_id = f"'{'0' * 32}'" if is_sqlite else f"CAST('{'0' * 32}' AS uuid)"
    op.execute('CREATE TEMPORARY TABLE kept_counts AS SELECT * FROM message_counts')
    op.execute('CREATE TEMPORARY TABLE kept_refusals AS SELECT * FROM refusal_counts')
    op.drop_index(op.f('ix_message_counts_day_hour'), table_name='message_counts')
    op.drop_table('message_counts')
    op.drop_table('refusal_counts')
    op.create_table('message_counts',
    sa.Column('workspace_id', sa.Uuid(), nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('hour', sa.Integer(), nullable=False),
    sa.Column('country', sa.String(length=2), nullable=False),
    sa.Column('use_case_id', sa.Uuid(), nullable=False),
    sa.Column('access_key_id', sa.Uuid(), nullable=False),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('sends', sa.Integer(), nullable=False),
    sa.Column('delivered', sa.Integer(), nullable=False),
    sa.Column('undelivered', sa.Integer(), nullable=False),
    sa.Column('failed', sa.Integer(), nullable=False),
    sa.Column('segments', sa.Integer(), nullable=False),
    sa.Column('converted', sa.Integer(), server_default='0', nullable=False),
    sa.Column('cost', sa.BigInteger(), server_default='0', nullable=False),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspaces.id'], name=op.f('fk_message_counts_workspace_id_workspaces')),
    sa.PrimaryKeyConstraint('workspace_id', 'day', 'hour', 'country', 'use_case_id', 'access_key_id', 'currency', name=op.f('pk_message_counts'))
    )
    op.create_index(op.f('ix_message_counts_day_hour'), 'message_counts', ['day', 'hour'], unique=False)
    op.create_table('refusal_counts',
    sa.Column('workspace_id', sa.Uuid(), nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('country', sa.String(length=2), nullable=False),
    sa.Column('code', sa.String(length=40), nullable=False),
    sa.Column('source', sa.String(length=16), nullable=False),
    sa.Column('use_case_id', sa.Uuid(), nullable=False),
    sa.Column('access_key_id', sa.Uuid(), nullable=False),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('refusals', sa.Integer(), nullable=False),
    sa.Column('unlisted', sa.Integer(), nullable=False),
    sa.Column('saved', sa.BigInteger(), server_default='0', nullable=False),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspaces.id'], name=op.f('fk_refusal_counts_workspace_id_workspaces')),
    sa.PrimaryKeyConstraint('workspace_id', 'day', 'country', 'code', 'source', 'use_case_id', 'access_key_id', 'currency', name=op.f('pk_refusal_counts'))
    )
    new = f"{no_id}, {no_id}, ''"
    op.execute(
        f'INSERT INTO message_counts ({_COUNTS}, use_case_id, access_key_id, currency)'
        f' SELECT {_COUNTS}, {new} FROM kept_counts'
    )
    op.execute(
        f'INSERT INTO refusal_counts ({_REFUSALS}, use_case_id, access_key_id, currency)'
        f' SELECT {_REFUSALS}, {new} FROM kept_refusals'
    )
    op.execute('DROP TABLE kept_counts')
    op.execute('DROP TABLE kept_refusals')
    op.execute('DELETE FROM message_counting')


def downgrade() -> None:
    """Counts are added up over use cases and access keys; costs, savings and conversions are dropped."""
    _add_up(
        'message_counts', ['workspace_id', 'day', 'hour', 'country'],
        ['sends', 'delivered', 'undelivered', 'failed', 'segments'], ['converted', 'cost'],
    )
    _add_up(
        'refusal_counts', ['workspace_id', 'day', 'country', 'code', 'source'],
        ['refusals', 'unlisted'], ['saved'],
    )


def _add_up(table: str, key: list[str], counts: list[str], dropped: list[str]) -> None:
    by, sums = ', '.join(key), ', '.join(f'CAST(sum({one}) AS INTEGER) AS {one}' for one in counts)
    op.execute(f'CREATE TEMPORARY TABLE kept AS SELECT {by}, {sums} FROM {table} GROUP BY {by}')
    op.execute(f'DELETE FROM {table}')
    with op.batch_alter_table(table, schema=None) as batch_op:
        batch_op.drop_constraint(op.f(f'pk_{table}'), type_='primary')
        for column in ('use_case_id', 'access_key_id', 'currency', *dropped):
            batch_op.drop_column(column)
        batch_op.create_primary_key(op.f(f'pk_{table}'), key)
    names = ', '.join([*key, *counts])
    op.execute(f'INSERT INTO {table} ({names}) SELECT {names} FROM kept')
    op.execute('DROP TABLE kept')
