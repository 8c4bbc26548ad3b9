"""Tables of users, memberships and sessions."""

import sqlalchemy as sa

from app.db.types import UtcDateTime, add_table, partial_index

_SCOPED = sa.text("workspace_id IS NOT NULL")
_WHOLE = sa.text("workspace_id IS NULL")

users = add_table(
    "users",
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("organization_id", sa.Uuid, sa.ForeignKey("organizations.id"), nullable=False),
    sa.Column("email", sa.String(254), nullable=False),
    sa.Column("name", sa.String(200), nullable=False),
    # Null for users who only sign in at an identity provider.
    sa.Column("password_hash", sa.Text),
    # Encrypted (see app.db.encryption); null without a second factor. The time step of the last
    # code is stored, as a code can be used once.
    sa.Column("totp_secret", sa.Text),
    sa.Column("totp_step", sa.Integer),
    # Until then, sign-in is slowed on unknown browsers.
    sa.Column("locked_until", UtcDateTime),
    # The user's identity at the identity provider, set by the first sign-in there.
    sa.Column("identity_issuer", sa.String(500)),
    sa.Column("identity_subject", sa.String(255)),
    # Sign-ins before this time do not make a browser known.
    sa.Column("browsers_known_since", UtcDateTime),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.Column("disabled_at", UtcDateTime),
    sa.Column("last_sign_in_at", UtcDateTime),
    sa.UniqueConstraint("organization_id", "email"),
    sa.UniqueConstraint("organization_id", "identity_issuer", "identity_subject"),
    sa.Index(None, "organization_id", "id"),
    sa.Index(None, "email"),
    sa.Index(None, "identity_issuer", "identity_subject"),
)

# Each replaces a code of the second factor once.
recovery_codes = add_table(
    "recovery_codes",
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("user_id", sa.Uuid, sa.ForeignKey("users.id"), nullable=False),
    sa.Column("code_hash", sa.String(64), nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("used_at", UtcDateTime),
    sa.UniqueConstraint("user_id", "code_hash"),
)

# A person's only link to choose a password; its row goes when the link is used.
sign_in_links = add_table(
    "sign_in_links",
    sa.Column("user_id", sa.Uuid, sa.ForeignKey("users.id"), primary_key=True),
    sa.Column("token_hash", sa.String(64), nullable=False, unique=True),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False),
)

# Null: every workspace of the organization.
memberships = add_table(
    "memberships",
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("user_id", sa.Uuid, sa.ForeignKey("users.id"), nullable=False),
    sa.Column("workspace_id", sa.Uuid, sa.ForeignKey("workspaces.id")),
    sa.Column("role", sa.String(16), nullable=False),
    partial_index(
        "uq_memberships_workspace", "user_id", "workspace_id", where=_SCOPED, unique=True
    ),
    partial_index("uq_memberships_organization", "user_id", where=_WHOLE, unique=True),
)

# Of a user, or of an access key with its role.
sessions = add_table(
    "sessions",
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("token_hash", sa.String(64), nullable=False, unique=True),
    sa.Column("user_id", sa.Uuid, sa.ForeignKey("users.id")),
    sa.Column("access_key_id", sa.Uuid, sa.ForeignKey("access_keys.id")),
    # The workspace shown on the pages.
    sa.Column("workspace_id", sa.Uuid, sa.ForeignKey("workspaces.id")),
    sa.Column("awaits_second_factor", sa.Boolean, nullable=False),
    # Encrypted secret of the second factor that this session is setting up.
    sa.Column("pending_totp_secret", sa.Text),
    sa.Column("pending_totp_at", UtcDateTime),
    sa.Column("address", sa.String(45)),
    sa.Column("device", sa.String(60)),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("seen_at", UtcDateTime, nullable=False),
    sa.Column("ends_at", UtcDateTime, nullable=False),
    sa.Column("ended_at", UtcDateTime),
    sa.Index(None, "user_id"),
    sa.Index(None, "ends_at"),
)
