"""months: on PostgreSQL messages and their events are partitioned by ranges of ids.

No row is copied: the table that was becomes the one partition, whose bounds are open on both sides,
so that nothing is read either. `borderpost db upgrade` and the worker then close it at the end of
the month and let the later months have partitions of their own (see app.messages.retention.partitions).
"""

import sqlalchemy as sa
from alembic import op

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    # SQLite knows no partitions; what is past its time is deleted there.
    if op.get_bind().dialect.name == 'postgresql':
        for table in ('messages', 'message_events'):
            _partition(table)


def _partition(table: str) -> None:
    before = f'{table}_before'
    # Read before the renaming, so that what is made again has the names and the table of old.
    again = [*_constraints(table), *_indexes(table)]
    for index in _index_names(table):
        op.execute(f'ALTER INDEX {index} RENAME TO {index.replace(table, before, 1)}')
    op.execute(f'ALTER TABLE {table} RENAME TO {before}')
    op.execute(
        f'CREATE TABLE {table} (LIKE {before} INCLUDING ALL EXCLUDING INDEXES) '
        'PARTITION BY RANGE (id)'
    )
    for statement in again:
        op.execute(statement)
    # Its indexes and foreign keys fit those of the new table and are kept.
    op.execute(
        f'ALTER TABLE {table} ATTACH PARTITION {before} FOR VALUES FROM (MINVALUE) TO (MAXVALUE)'
    )


def _read(query: str, table: str) -> list[tuple[str, str]]:
    return [tuple(row) for row in op.get_bind().execute(sa.text(query), {'table': table})]


def _constraints(table: str) -> list[str]:
    found = _read(
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE conrelid = CAST(:table AS regclass) AND contype IN ('p', 'f', 'u') "
        "ORDER BY contype DESC, conname",
        table,
    )
    return [f'ALTER TABLE {table} ADD CONSTRAINT {name} {text}' for name, text in found]


def _indexes(table: str) -> list[str]:
    found = _read(
        "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index "
        "WHERE indrelid = CAST(:table AS regclass) "
        "AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid) "
        "ORDER BY 1",
        table,
    )
    return [text for _, text in found]


def _index_names(table: str) -> list[str]:
    found = _read(
        "SELECT relname, '' FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid "
        "WHERE indrelid = CAST(:table AS regclass) ORDER BY 1",
        table,
    )
    return [name for name, _ in found]


def downgrade() -> None:
    if op.get_bind().dialect.name == 'postgresql':
        for table in ('messages', 'message_events'):
            _unite(table)


def _unite(table: str) -> None:
    """Make one table of the partitions."""
    again = [*_constraints(table), *_indexes(table)]
    op.execute(f'CREATE TABLE {table}_whole (LIKE {table} INCLUDING ALL EXCLUDING INDEXES)')
    op.execute(f'INSERT INTO {table}_whole SELECT * FROM {table}')
    op.execute(f'DROP TABLE {table}')
    op.execute(f'ALTER TABLE {table}_whole RENAME TO {table}')
    for statement in again:
        op.execute(statement)
