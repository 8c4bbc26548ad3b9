"""A brand or campaign of a use case, and its status. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Registration:
    """Without a status, the stored one of the same SID stays."""

    sid: str
    status: str | None = None


def registration_columns(
    kind: str, given: Registration | None, stored: Registration | None
) -> dict[str, str | None]:
    """None removes the registration."""
    if given is None:
        return {f"{kind}_sid": None, f"{kind}_status": None}
    # A status belongs to one registration only.
    kept = stored.status if stored is not None and stored.sid == given.sid else None
    return {f"{kind}_sid": given.sid, f"{kind}_status": given.status or kept}
