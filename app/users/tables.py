"""Tables of users, memberships and sessions."""

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from app.db.metadata import metadata
from app.db.types import UtcDateTime

_SCOPED = text("workspace_id IS NOT NULL")
_WHOLE = text("workspace_id IS NULL")

users = Table(
    "users",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("organization_id", Uuid, ForeignKey("organizations.id"), nullable=False),
    Column("email", String(254), nullable=False),
    Column("name", String(200), nullable=False),
    # Null for people who sign in at an identity provider only.
    Column("password_hash", Text),
    # Encrypted (see app.db.encryption); null without a second factor. A code counts once: its
    # time step is kept.
    Column("totp_secret", Text),
    Column("totp_step", Integer),
    # Until when sign-in is slowed on browsers that are not known; the owners' page shows it.
    Column("locked_until", UtcDateTime),
    # Who this is at the identity provider, from the first sign-in there on.
    Column("identity_issuer", String(500)),
    Column("identity_subject", String(255)),
    # Browsers that signed in before this time are not known any more.
    Column("browsers_known_since", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("disabled_at", UtcDateTime),
    UniqueConstraint("organization_id", "email"),
    UniqueConstraint("organization_id", "identity_issuer", "identity_subject"),
    Index(None, "organization_id", "id"),
    Index(None, "email"),
    Index(None, "identity_issuer", "identity_subject"),
)

# Each lets its person in once instead of a code of the second factor.
recovery_codes = Table(
    "recovery_codes",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("user_id", Uuid, ForeignKey("users.id"), nullable=False),
    Column("code_hash", String(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("used_at", UtcDateTime),
    UniqueConstraint("user_id", "code_hash"),
)

# Without a workspace: every workspace of the organization.
memberships = Table(
    "memberships",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("user_id", Uuid, ForeignKey("users.id"), nullable=False),
    Column("workspace_id", Uuid, ForeignKey("workspaces.id")),
    Column("role", String(16), nullable=False),
    Index(
        "uq_memberships_workspace",
        "user_id",
        "workspace_id",
        unique=True,
        sqlite_where=_SCOPED,
        postgresql_where=_SCOPED,
    ),
    Index(
        "uq_memberships_organization",
        "user_id",
        unique=True,
        sqlite_where=_WHOLE,
        postgresql_where=_WHOLE,
    ),
)

# Of a person, or of an access key whose role then counts.
sessions = Table(
    "sessions",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("user_id", Uuid, ForeignKey("users.id")),
    Column("access_key_id", Uuid, ForeignKey("access_keys.id")),
    # The workspace that the pages show.
    Column("workspace_id", Uuid, ForeignKey("workspaces.id")),
    Column("awaits_second_factor", Boolean, nullable=False),
    # Encrypted; the secret of a second factor that this session is setting up.
    Column("pending_totp_secret", Text),
    Column("pending_totp_at", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Index(None, "user_id"),
    Index(None, "ends_at"),
)
