"""Roles of principals. Pure."""

from enum import StrEnum


class Role(StrEnum):
    """Roles from the least to the most powerful; each includes the ones before it."""

    VIEWER = "viewer"
    SENDER = "sender"
    ADMIN = "admin"
    OWNER = "owner"

    def permits(self, wanted: "Role") -> bool:
        """Return whether this role includes the wanted one."""
        return _RANKS[self] >= _RANKS[wanted]


_RANKS = {role: rank for rank, role in enumerate(Role)}
