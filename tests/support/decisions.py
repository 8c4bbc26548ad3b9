"""What becomes of a send to a number under one policy, in one word."""

from datetime import UTC, datetime

from app.destinations.policy.evaluate import Access, Policy
from app.kernel.errors import DestinationBlocked, InvalidDestination
from app.kernel.phone import resolve
from app.messages.sending.admission import check_destination

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)

_ALLOWED = """
US CA PR AG GG IM GB KZ IT VA NO SJ AU CC MA EH RE SH TA FI AX GP BL CW IN XK AC IR CU
"""
_BLOCKED = ("RU", "JE", "DO", "BQ")
POLICY = Policy(
    revision=7,
    destinations=dict.fromkeys(_ALLOWED.split(), Access.ALLOWED)
    | dict.fromkeys(_BLOCKED, Access.BLOCKED),
    denied_by_organization=frozenset({"KP", "IR", "CU", "SY"}),
)

# number, region, decision: allowed, blocked (by the map), floor (by the organization),
# invalid (not real, or of a kind that cannot receive SMS).


def decision(number: str) -> str:
    """What becomes of a send to this number, in one word."""
    try:
        verdict = check_destination(POLICY, resolve(number), NOW)
    except InvalidDestination:
        return "invalid"
    except DestinationBlocked as blocked:
        details = blocked.details or {}
        if details["rule"] == "no_country":
            return "no_country"
        return {"organization": "floor", "workspace": "blocked"}[details["scope"]]
    assert verdict.allowed
    return "allowed"
