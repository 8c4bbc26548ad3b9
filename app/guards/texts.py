"""Texts of alerts and refusals. Pure."""

from collections.abc import Mapping
from typing import Any, assert_never

from app.guards.limits import DeliverySign, GuardMode, GuardName, money_text
from app.guards.watches import Trip
from app.kernel.clock import rfc3339
from app.kernel.countries import country_name, is_country

_SUBJECTS = {
    GuardName.NUMBER: "messages",
    GuardName.PREFIX: "messages",
    GuardName.COUNTRY: "messages",
    GuardName.WORKSPACE: "segments",
    GuardName.SPEND: "spent",
}
_WHOLE = {GuardName.WORKSPACE, GuardName.SPEND}


def alert_text(kind: str, details: Mapping[str, Any], *, has_numbers: bool = True) -> str:
    """Describe an alert; without ``has_numbers``, no number or range is named."""
    value = details.get("value")
    if value and is_country(value):
        to = f" to {country_name(value)}"
    elif value and not has_numbers:
        to = " to one number" if details["guard"] == GuardName.NUMBER else " to one number range"
    else:
        to = f" to {value}" if value else ""
    match kind:
        case "guard.tripped":
            return _of_guard(details, to)
        case "delivery.collapsed":
            limit = details["limit"]
            return f"Less than {limit}% of messages{to} delivered or converted in the last hour."
        case _:
            return _of_watcher(kind, details)


def _of_guard(details: Mapping[str, Any], to: str) -> str:
    effect = "refused" if details["mode"] == GuardMode.ENFORCE else "sent beyond it"
    guard = GuardName(details["guard"])
    limit = f"{details['limit']} {_SUBJECTS[guard]} per {details['window']}"
    several = "" if to or guard in _WHOLE else " to many values"
    return f"Limit of {limit}{to or several} reached, {details['hits']} {effect}."


def _of_watcher(kind: str, details: Mapping[str, Any]) -> str:
    match kind:
        case "endpoint.failing":
            return "A webhook endpoint does not accept events."
        case "geo.drift":
            return "Twilio's geo permissions differ from the destinations."
        case "refusals.spiked":
            most = max(details["codes"], key=details["codes"].__getitem__)
            many, minutes = details["refusals"], details["minutes"]
            return f"{many} sends were refused within {minutes} minutes, most as {most}."
        case "clock.differs":
            skew = abs(details["skew_seconds"])
            return f"The clock of a host differs from the database's by {skew} s."
        case _:
            return _of_workers(details)


def _of_workers(details: Mapping[str, Any]) -> str:
    if details["tasks"]:
        return f"A task of the worker does not end or only fails: {details['tasks'][0]}."
    if details.get("none_running"):
        return "No worker is running: webhooks and unconfirmed messages wait for one."
    return "A worker has not reported for two minutes."


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
    return details | {
        "country": country,
        "resets_at": rfc3339(trip.resets_at),
        "retryable": trip.can_fit,
    }
