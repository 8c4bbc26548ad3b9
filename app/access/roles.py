"""Roles and who may do what: a pure rule."""

from enum import StrEnum


class Role(StrEnum):
    """From the least to the most powerful; each may do what those before it may."""

    VIEWER = "viewer"
    SENDER = "sender"
    ADMIN = "admin"
    OWNER = "owner"

    def permits(self, wanted: "Role") -> bool:
        """Say whether this role may do what takes the wanted role."""
        return _RANKS[self] >= _RANKS[wanted]


_RANKS = {role: rank for rank, role in enumerate(Role)}
