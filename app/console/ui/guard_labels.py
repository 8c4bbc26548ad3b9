"""Labels of guards, their limits and alerts."""

from collections.abc import Mapping
from typing import Any

from app.db.rows import AnyRow
from app.guards.alerts import AlertKind, render_alert
from app.guards.limits import DeliverySign, GuardMode, GuardName, Window
from app.kernel.countries import country_name, is_country

NAMES: Mapping[str, str] = {
    GuardName.NUMBER: "Messages to one number",
    GuardName.PREFIX: "Messages to one number range",
    GuardName.COUNTRY: "Messages to one country",
    GuardName.WORKSPACE: "Segments of the workspace",
    GuardName.SPEND: "Spend of the workspace",
    GuardName.DELIVERY: "Delivery rate",
}
HINTS: Mapping[str, str] = {
    GuardName.NUMBER: "Counts messages to the same number.",
    GuardName.PREFIX: "Counts messages to numbers that differ in their last four digits only.",
    GuardName.COUNTRY: "Counts messages to each country except the home country.",
    GuardName.WORKSPACE: "Counts segments of all messages.",
    GuardName.SPEND: "Estimated price per calendar day and month (UTC). Needs prices.",
    GuardName.DELIVERY: "Trips for a country or range whose delivery rate of the last hour is low.",
}
FIELD_LABELS: Mapping[str, str] = {
    "minute": "Per minute",
    "hour": "Per hour",
    "day": "Per day",
    "month": "Per month",
    "below": "Below (%)",
    "baseline": "Usual rate at least (%)",
    "minimum": "Messages at least",
    "counts": "Counts",
}
SIGNS: Mapping[str, str] = {
    DeliverySign.DELIVERED: "Delivered messages",
    DeliverySign.CONVERTED: "Converted messages (by feedback)",
}
MODES: Mapping[str, str] = {
    GuardMode.ENFORCE: "Enforce: refuse sends",
    GuardMode.MONITOR: "Monitor: alert only",
    GuardMode.OFF: "Off",
}
KINDS: Mapping[str, str] = {
    AlertKind.GUARD_TRIPPED: "Guard tripped",
    AlertKind.DELIVERY_COLLAPSED: "Delivery rate collapsed",
    AlertKind.ENDPOINT_FAILING: "Webhook endpoint failing",
    AlertKind.GEO_DRIFT: "Geo permissions differ",
}
_PER = {Window.MINUTE: "minute", Window.HOUR: "hour", Window.DAY: "day", Window.MONTH: "month"}
_SUBJECTS = {
    GuardName.NUMBER: "messages",
    GuardName.PREFIX: "messages",
    GuardName.COUNTRY: "messages",
    GuardName.WORKSPACE: "segments",
    GuardName.SPEND: "spent",
}


def alert_text(row: AnyRow) -> str:
    """Say in one sentence what an alert is about."""
    details: dict[str, Any] = render_alert(row)["details"]
    value = details.get("value")
    place = country_name(value) if value and is_country(value) else value
    to = f" to {place}" if place else ""
    match row.kind:
        case AlertKind.GUARD_TRIPPED:
            effect = "refused" if details["mode"] == GuardMode.ENFORCE else "sent beyond it"
            limit = (
                f"{details['limit']} {_SUBJECTS[details['guard']]} per {_PER[details['window']]}"
            )
            several = "" if value or row.guard in _WHOLE else " to many values"
            return f"Limit of {limit}{to or several} reached, {details['hits']} {effect}."
        case AlertKind.DELIVERY_COLLAPSED:
            limit = details["limit"]
            return f"Less than {limit}% of messages{to} delivered or converted in the last hour."
        case AlertKind.ENDPOINT_FAILING:
            return "A webhook endpoint does not accept events."
        case _:
            return "Twilio's geo permissions differ from the destinations."


_WHOLE = {GuardName.WORKSPACE, GuardName.SPEND}
