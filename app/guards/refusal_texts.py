"""The answer to a send that a guard refused. Pure."""

from typing import Any, assert_never

from app.guards.limits import DeliverySign, GuardName, money_text
from app.guards.watches import Trip
from app.kernel.clock import rfc3339


def refusal_message(
    trip: Trip, currency: str | None = None, counts: DeliverySign = DeliverySign.DELIVERED
) -> str:
    limit = _limit_text(trip, currency, counts)
    return f"The guard '{trip.watch.guard}' refused this message: {limit}."


def _limit_text(trip: Trip, currency: str | None, counts: DeliverySign) -> str:
    per = f"{trip.limit} per {trip.window}"
    match trip.watch.guard:
        case GuardName.NUMBER:
            return f"{per} to one number"
        case GuardName.PREFIX:
            return f"{per} to one number range"
        case GuardName.COUNTRY:
            return f"{per} to one country"
        case GuardName.WORKSPACE:
            return f"{trip.limit} segments per {trip.window}"
        case GuardName.SPEND:
            unit = f" {currency}" if currency else ""
            return f"{money_text(trip.limit)}{unit} per {trip.window}"
        case GuardName.DELIVERY:
            place = "country" if trip.watch.value.isalpha() else "number range"
            return f"less than {trip.limit} % {counts} to one {place}"
        case unknown:
            assert_never(unknown)


def refusal_details(trip: Trip, country: str | None, currency: str | None = None) -> dict[str, Any]:
    """Return the ``details`` of `GuardTripped`."""
    is_money = trip.watch.guard is GuardName.SPEND
    details: dict[str, Any] = {
        "guard": trip.watch.guard.value,
        "window": trip.window.value,
        "scope": trip.watch.scope.value,
        "limit": money_text(trip.limit) if is_money else trip.limit,
        "count": money_text(trip.count) if is_money else trip.count,
    }
    if is_money:
        details["currency"] = currency
    fits_never = trip.resets_at is None and trip.watch.guard is not GuardName.DELIVERY
    return details | {
        "country": country,
        "resets_at": None if trip.resets_at is None else rfc3339(trip.resets_at),
        "retryable": not fits_never,
    }
