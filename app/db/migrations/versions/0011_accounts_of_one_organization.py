"""accounts of one organization: a provider account and the workspaces that use it share one.

An account that no workspace uses is deleted with its tokens. Where several organizations use one,
it stays with the organization that last wrote its tokens, by the audit, and else with the oldest
workspace; the other workspaces are left without an account, and the audit says so.
"""

from datetime import datetime, timezone
from typing import Any

import sqlalchemy as sa
from alembic import op

import app.db.types
from app.kernel.ids import new_id

revision = '0011'
down_revision = '0010'
branch_labels = None
depends_on = None

_ACCOUNTS = sa.table('provider_accounts', sa.column('sid'), sa.column('organization_id', sa.Uuid()))
_WORKSPACES = sa.table(
    'workspaces',
    sa.column('id', sa.Uuid()),
    sa.column('organization_id', sa.Uuid()),
    sa.column('account_sid'),
)
_AUDIT = sa.table(
    'audit_events',
    sa.column('id', sa.Uuid()),
    sa.column('organization_id', sa.Uuid()),
    sa.column('workspace_id', sa.Uuid()),
    sa.column('at', app.db.types.UtcDateTime()),
    *(sa.column(name) for name in ('actor_kind', 'actor_name', 'action', 'target', 'reason')),
)


def upgrade() -> None:
    with op.batch_alter_table('provider_accounts', schema=None) as batch_op:
        batch_op.add_column(sa.Column('organization_id', sa.Uuid(), nullable=True))
    _give_each_account_one_organization()
    with op.batch_alter_table('workspaces', schema=None) as batch_op:
        batch_op.drop_constraint(
            op.f('fk_workspaces_account_sid_provider_accounts'), type_='foreignkey'
        )
    with op.batch_alter_table('provider_accounts', schema=None) as batch_op:
        batch_op.alter_column('organization_id', existing_type=sa.Uuid(), nullable=False)
        batch_op.create_foreign_key(
            op.f('fk_provider_accounts_organization_id_organizations'),
            'organizations',
            ['organization_id'],
            ['id'],
        )
        batch_op.create_unique_constraint(
            op.f('uq_provider_accounts_organization_id_sid'), ['organization_id', 'sid']
        )
    with op.batch_alter_table('workspaces', schema=None) as batch_op:
        batch_op.create_foreign_key(
            op.f('fk_workspaces_organization_id_provider_accounts'),
            'provider_accounts',
            ['organization_id', 'account_sid'],
            ['organization_id', 'sid'],
        )
        batch_op.create_index(op.f('ix_workspaces_account_sid'), ['account_sid'], unique=False)


def _give_each_account_one_organization() -> None:
    connection = op.get_bind()
    users: dict[str, list[Any]] = {}
    using = sa.select(_WORKSPACES).where(_WORKSPACES.c.account_sid.is_not(None))
    for row in connection.execute(using.order_by(_WORKSPACES.c.id)):
        users.setdefault(row.account_sid, []).append(row)
    for sid in connection.execute(sa.select(_ACCOUNTS.c.sid)).scalars().all():
        if sid not in users:
            _delete(connection, sid)
            continue
        owner = _owner(connection, sid, users[sid])
        connection.execute(
            sa.update(_ACCOUNTS).where(_ACCOUNTS.c.sid == sid).values(organization_id=owner)
        )
        for row in users[sid]:
            if row.organization_id != owner:
                _unlink(connection, row)


def _owner(connection: sa.Connection, sid: str, users: list[Any]) -> object:
    writers = connection.execute(
        sa.select(_AUDIT.c.organization_id)
        .where(
            _AUDIT.c.target == sid,
            _AUDIT.c.action.in_(['provider_account.created', 'provider_account.changed']),
            _AUDIT.c.organization_id.in_([row.organization_id for row in users]),
        )
        .order_by(_AUDIT.c.id.desc())
        .limit(1)
    ).scalars()
    return next(iter(writers), users[0].organization_id)


def _unlink(connection: sa.Connection, row: Any) -> None:
    by_id = _WORKSPACES.c.id == row.id
    connection.execute(sa.update(_WORKSPACES).where(by_id).values(account_sid=None))
    connection.execute(
        sa.insert(_AUDIT).values(
            id=new_id(),
            organization_id=row.organization_id,
            workspace_id=row.id,
            at=datetime.now(timezone.utc),
            actor_kind='system',
            actor_name='upgrade',
            action='workspace.changed',
            target=str(row.id),
            reason=f'account_sid: {row.account_sid} is used by another organization',
        )
    )


def _delete(connection: sa.Connection, sid: str) -> None:
    for table in ('provider_permissions', 'provider_checks'):
        known = sa.table(table, sa.column('account_sid'))
        connection.execute(sa.delete(known).where(known.c.account_sid == sid))
    connection.execute(sa.delete(_ACCOUNTS).where(_ACCOUNTS.c.sid == sid))


def downgrade() -> None:
    """Accounts that were deleted or unlinked stay so."""
    with op.batch_alter_table('workspaces', schema=None) as batch_op:
        batch_op.drop_index(op.f('ix_workspaces_account_sid'))
        batch_op.drop_constraint(
            op.f('fk_workspaces_organization_id_provider_accounts'), type_='foreignkey'
        )
    with op.batch_alter_table('provider_accounts', schema=None) as batch_op:
        batch_op.drop_constraint(op.f('uq_provider_accounts_organization_id_sid'), type_='unique')
        batch_op.drop_constraint(
            op.f('fk_provider_accounts_organization_id_organizations'), type_='foreignkey'
        )
        batch_op.drop_column('organization_id')
    with op.batch_alter_table('workspaces', schema=None) as batch_op:
        batch_op.create_foreign_key(
            op.f('fk_workspaces_account_sid_provider_accounts'),
            'provider_accounts',
            ['account_sid'],
            ['sid'],
        )
