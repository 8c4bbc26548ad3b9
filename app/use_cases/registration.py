"""A brand or a campaign of a use case, and what setting it does to what is known of it: pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Registration:
    """A brand or campaign; without a status what was known of the same one stays."""

    sid: str
    status: str | None = None


def registration_columns(
    kind: str, given: Registration | None, stored: Registration | None
) -> dict[str, str | None]:
    """Return the columns of a ``brand`` or ``campaign``; None takes it away."""
    if given is None:
        return {f"{kind}_sid": None, f"{kind}_status": None}
    # The status of one registration says nothing about another.
    kept = stored.status if stored is not None and stored.sid == given.sid else None
    return {f"{kind}_sid": given.sid, f"{kind}_status": given.status or kept}
