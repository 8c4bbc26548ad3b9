"""values that exist once per installation: check values of its secrets, and the pseudonym key.

Where messages exist, pseudonyms may exist that were made with the secret key: an empty pseudonym
key lets the next start keep it.
"""

import sqlalchemy as sa
from alembic import op

revision = '0017'
down_revision = '0016'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('installation',
    sa.Column('name', sa.String(length=40), nullable=False),
    sa.Column('value', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_installation'))
    )
    op.execute(
        "INSERT INTO installation (name, value)"
        " SELECT 'pseudonym_key', '' WHERE EXISTS (SELECT 1 FROM messages)"
    )
    op.execute(
        "DELETE FROM refusing_accounts"
        " WHERE account_sid NOT IN (SELECT sid FROM provider_accounts)"
    )


def downgrade() -> None:
    """The key of pseudonyms is dropped: pseudonyms made until now match no later ones."""
    op.drop_table('installation')
