"""Labels of guards, their limits and alerts."""

from collections.abc import Mapping

from app.db.rows import AnyRow
from app.guards import texts
from app.guards.alerts import AlertKind, render_alert
from app.guards.limits import DeliverySign, GuardMode, GuardName, money_text
from app.guards.states import Fullness
from app.kernel.countries import country_name

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
    AlertKind.REFUSALS_SPIKED: "Many refusals",
    AlertKind.CLOCK_DIFFERS: "Clock differs",
    AlertKind.WORKER_STUCK: "Worker does not work",
}

SHORT_MODES: Mapping[str, str] = {
    GuardMode.ENFORCE: "Enforced",
    GuardMode.MONITOR: "Monitored",
    GuardMode.OFF: "Off",
}


def fullness_text(guard: str, found: Fullness) -> str:
    is_money = guard == GuardName.SPEND
    count, limit = (
        money_text(one) if is_money else f"{one:,}" for one in (found.count, found.limit)
    )
    unit = " segments" if guard == GuardName.WORKSPACE else ""
    where = f" to {country_name(found.value)}" if found.value else ""
    return f"{count} of {limit}{unit} per {found.window}{where}"


def alert_text(row: AnyRow) -> str:
    return texts.alert_text(row.kind, render_alert(row)["details"])
