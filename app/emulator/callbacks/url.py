"""Callback URLs: validity, permission, connection overrides (Twilio, StatusCallback)."""

import ipaddress
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from app.emulator.callbacks.outcome import CallbackOutcome
from app.emulator.config import ANY_HOST

_POLICIES: Final[Mapping[str, frozenset[CallbackOutcome]]] = {
    "4xx": frozenset({CallbackOutcome.CLIENT_ERROR}),
    "5xx": frozenset({CallbackOutcome.SERVER_ERROR}),
    "ct": frozenset({CallbackOutcome.NO_CONNECTION}),
    "rt": frozenset({CallbackOutcome.NO_ANSWER_IN_TIME}),
    # Twilio documents no policy for a connection that breaks during the answer: "all" covers it.
    "all": frozenset(
        set(CallbackOutcome) - {CallbackOutcome.ANSWERED, CallbackOutcome.NOT_PERMITTED}
    ),
}


@dataclass(frozen=True, slots=True)
class ConnectionOverrides:
    """Timeouts and retries of one URL; the defaults are Twilio's."""

    connect_seconds: float = 5
    read_seconds: float = 15
    total_seconds: float = 15
    retries: int = 1
    retried: frozenset[CallbackOutcome] = _POLICIES["ct"]


def is_valid(url: str) -> bool:
    """Whether Twilio accepts this as a callback URL."""
    if not url.isascii() or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    host = parts.hostname or ""
    return parts.scheme in ("http", "https") and bool(host) and "_" not in host


def is_permitted(url: str, allowed_hosts: Collection[str]) -> bool:
    """Whether the emulator may call this host: loopback, or one in `allowed_hosts`."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host in allowed_hosts or ANY_HOST in allowed_hosts:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def connection_overrides(url: str) -> ConnectionOverrides:
    """Parses the fragment of the URL; invalid values are ignored."""
    fragment = dict(parse_qsl(urlsplit(url).fragment))
    usual = ConnectionOverrides()
    policies = fragment.get("rp", "ct").split(",")
    known = [_POLICIES[policy] for policy in policies if policy in _POLICIES]
    return ConnectionOverrides(
        connect_seconds=_number(fragment, "ct", 100, 10_000, 5_000) / 1000,
        read_seconds=_number(fragment, "rt", 100, 15_000, 15_000) / 1000,
        total_seconds=_number(fragment, "tt", 100, 15_000, 15_000) / 1000,
        retries=_number(fragment, "rc", 0, 5, usual.retries),
        retried=frozenset[CallbackOutcome]().union(*known) if known else usual.retried,
    )


def _number(fragment: Mapping[str, str], key: str, low: int, high: int, default: int) -> int:
    text = fragment.get(key, "")
    value = int(text) if text.isascii() and text.isdigit() else default
    return value if low <= value <= high else default
