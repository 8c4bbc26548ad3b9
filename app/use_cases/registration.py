"""A brand or campaign of a use case, and the effect of setting it on the known status. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Registration:
    """A brand or campaign; without a status the known one of the same SID stays."""

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
