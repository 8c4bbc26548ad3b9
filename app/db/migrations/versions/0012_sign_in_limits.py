"""limits of failed sign-ins, recovery codes, accounts pinned to an identity."""

import sqlalchemy as sa
from alembic import op
import app.db.types

revision = '0012'
down_revision = '0011'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('failed_attempts',
    sa.Column('slot', sa.String(length=24), nullable=False),
    sa.Column('times', sa.JSON(), nullable=False),
    sa.Column('expires_at', app.db.types.UtcDateTime(), nullable=False),
    sa.PrimaryKeyConstraint('slot', name=op.f('pk_failed_attempts'))
    )
    op.create_index(op.f('ix_failed_attempts_expires_at'), 'failed_attempts', ['expires_at'], unique=False)
    op.create_table('recovery_codes',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('code_hash', sa.String(length=64), nullable=False),
    sa.Column('created_at', app.db.types.UtcDateTime(), nullable=False),
    sa.Column('used_at', app.db.types.UtcDateTime(), nullable=True),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_recovery_codes_user_id_users')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_recovery_codes')),
    sa.UniqueConstraint('user_id', 'code_hash', name=op.f('uq_recovery_codes_user_id_code_hash'))
    )
    with op.batch_alter_table('users', schema=None) as batch_op:
        batch_op.add_column(sa.Column('identity_issuer', sa.String(length=500), nullable=True))
        batch_op.add_column(sa.Column('identity_subject', sa.String(length=255), nullable=True))
        batch_op.add_column(sa.Column('browsers_known_since', app.db.types.UtcDateTime(), nullable=True))
        batch_op.drop_column('failed_sign_ins')
        batch_op.drop_constraint(op.f('uq_users_email'), type_='unique')
        batch_op.create_unique_constraint(op.f('uq_users_organization_id_email'), ['organization_id', 'email'])
        batch_op.create_unique_constraint(op.f('uq_users_organization_id_identity_issuer_identity_subject'), ['organization_id', 'identity_issuer', 'identity_subject'])
        batch_op.create_index(op.f('ix_users_email'), ['email'], unique=False)
        batch_op.create_index(op.f('ix_users_identity_issuer_identity_subject'), ['identity_issuer', 'identity_subject'], unique=False)
    with op.batch_alter_table('sessions', schema=None) as batch_op:
        batch_op.add_column(sa.Column('pending_totp_secret', sa.Text(), nullable=True))
        batch_op.add_column(sa.Column('pending_totp_at', app.db.types.UtcDateTime(), nullable=True))


def downgrade() -> None:
    """Recovery codes, limits of sign-ins and pinned identities are dropped. Of users with one e-mail
    address in several organizations the first keeps it; the others get their id in its place."""
    op.execute(
        'UPDATE users SET email = CAST(id AS VARCHAR(36)) WHERE EXISTS '
        '(SELECT 1 FROM users AS first WHERE first.email = users.email AND first.id < users.id)'
    )
    with op.batch_alter_table('sessions', schema=None) as batch_op:
        batch_op.drop_column('pending_totp_at')
        batch_op.drop_column('pending_totp_secret')
    with op.batch_alter_table('users', schema=None) as batch_op:
        batch_op.drop_index(op.f('ix_users_identity_issuer_identity_subject'))
        batch_op.drop_index(op.f('ix_users_email'))
        batch_op.drop_constraint(op.f('uq_users_organization_id_identity_issuer_identity_subject'), type_='unique')
        batch_op.drop_constraint(op.f('uq_users_organization_id_email'), type_='unique')
        batch_op.create_unique_constraint(op.f('uq_users_email'), ['email'])
        batch_op.add_column(sa.Column('failed_sign_ins', sa.Integer(), server_default='0', nullable=False))
        for column in ('browsers_known_since', 'identity_subject', 'identity_issuer'):
            batch_op.drop_column(column)
    op.drop_table('recovery_codes')
    op.drop_table('failed_attempts')
