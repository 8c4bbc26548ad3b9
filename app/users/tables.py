"""Tables of users, memberships and sessions."""

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from app.db.types import UtcDateTime, add_table, partial_index

_SCOPED = text("workspace_id IS NOT NULL")
_WHOLE = text("workspace_id IS NULL")

users = add_table(
    "users",
    Column("id", Uuid, primary_key=True),
    Column("organization_id", Uuid, ForeignKey("organizations.id"), nullable=False),
    Column("email", String(254), nullable=False),
    Column("name", String(200), nullable=False),
    # Null for users who only sign in at an identity provider.
    Column("password_hash", Text),
    # Encrypted (see app.db.encryption); null without a second factor. The time step of the last
    # code is stored, as a code can be used once.
    Column("totp_secret", Text),
    Column("totp_step", Integer),
    # Until then, sign-in is slowed on unknown browsers.
    Column("locked_until", UtcDateTime),
    # The user's identity at the identity provider, set by the first sign-in there.
    Column("identity_issuer", String(500)),
    Column("identity_subject", String(255)),
    # Sign-ins before this time do not make a browser known.
    Column("browsers_known_since", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("disabled_at", UtcDateTime),
    Column("last_sign_in_at", UtcDateTime),
    UniqueConstraint("organization_id", "email"),
    UniqueConstraint("organization_id", "identity_issuer", "identity_subject"),
    Index(None, "organization_id", "id"),
    Index(None, "email"),
    Index(None, "identity_issuer", "identity_subject"),
)

# Each replaces a code of the second factor once.
recovery_codes = add_table(
    "recovery_codes",
    Column("id", Uuid, primary_key=True),
    Column("user_id", Uuid, ForeignKey("users.id"), nullable=False),
    Column("code_hash", String(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("used_at", UtcDateTime),
    UniqueConstraint("user_id", "code_hash"),
)

# A person's only link to choose a password; its row goes when the link is used.
sign_in_links = add_table(
    "sign_in_links",
    Column("user_id", Uuid, ForeignKey("users.id"), primary_key=True),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
)

# Null: every workspace of the organization.
memberships = add_table(
    "memberships",
    Column("id", Uuid, primary_key=True),
    Column("user_id", Uuid, ForeignKey("users.id"), nullable=False),
    Column("workspace_id", Uuid, ForeignKey("workspaces.id")),
    Column("role", String(16), nullable=False),
    partial_index(
        "uq_memberships_workspace", "user_id", "workspace_id", where=_SCOPED, unique=True
    ),
    partial_index("uq_memberships_organization", "user_id", where=_WHOLE, unique=True),
)

# Of a user, or of an access key with its role.
sessions = add_table(
    "sessions",
    Column("id", Uuid, primary_key=True),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("user_id", Uuid, ForeignKey("users.id")),
    Column("access_key_id", Uuid, ForeignKey("access_keys.id")),
    # The workspace shown on the pages.
    Column("workspace_id", Uuid, ForeignKey("workspaces.id")),
    Column("awaits_second_factor", Boolean, nullable=False),
    # Encrypted secret of the second factor that this session is setting up.
    Column("pending_totp_secret", Text),
    Column("pending_totp_at", UtcDateTime),
    Column("address", String(45)),
    Column("device", String(60)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Index(None, "user_id"),
    Index(None, "ends_at"),
)
