"""Safeguards: an organization keeps an owner, and users do not disable themselves. Pure."""

from collections.abc import Collection
from uuid import UUID

from app.access.actor import Actor
from app.kernel.errors import ValidationFailed

LAST_OWNER = "Nobody else is owner of the whole organization: make somebody else owner first."
YOURSELF = "This is your own account: another owner can do this."


def is_last_owner(user_id: UUID, owners: Collection[UUID]) -> bool:
    """Return whether a user is the organization's only enabled owner."""
    return set(owners) == {user_id}


def check_is_another(actor: Actor, user_id: UUID) -> None:
    """Let a person act upon the account of another.

    Raises:
        ValidationFailed: it is the person's own.
    """
    if actor.actor_id == user_id:
        raise ValidationFailed({"$": [YOURSELF]})
