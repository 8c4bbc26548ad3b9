"""What a role sees of recipients: their numbers and the texts sent to them. Pure."""

from app.access.roles import Role
from app.kernel.masking import mask_every_number_in, mask_number


def sees_recipients(role: Role) -> bool:
    """Say whether a role sees recipients' numbers whole, and texts."""
    return role.permits(Role.SENDER)


def shown_number(role: Role, number: str) -> str:
    """Return a recipient's number as a role sees it."""
    return number if sees_recipients(role) else mask_number(number)


def shown_body(role: Role, body: str | None) -> str | None:
    """Return the text of a message as a role sees it."""
    return body if sees_recipients(role) else None


def shown_reason(role: Role, reason: str | None) -> str | None:
    """Return a free text, which may quote recipients' numbers, as a role sees it."""
    return reason if reason is None or sees_recipients(role) else mask_every_number_in(reason)
