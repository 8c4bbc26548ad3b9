"""Prometheus metrics; labels contain ids and codes, never numbers or texts."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from prometheus_client import (
    REGISTRY as PROCESS_REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector
from sqlalchemy import Connection

MOST_COUNTED = 10_000
# Of several processes, the one that measured last is shown.
_gauge = partial(Gauge, multiprocess_mode="livemostrecent")
REQUEST_SECONDS = Histogram(
    "borderpost_request_seconds", "Time to answer a request.", ["method", "route", "status"]
)
SENDS = Counter("borderpost_sends", "Sends by their end: accepted, or the code answered.", ["end"])
PROVIDER_SECONDS = Histogram(
    "borderpost_provider_seconds", "Time of one call that creates a message.", ["outcome"]
)
CALLBACKS = Counter("borderpost_callbacks", "Status callbacks by what became of them.", ["end"])
GUARD_TRIPS = Counter(
    "borderpost_guard_trips", "Sends that met the limit of a guard.", ["guard", "mode"]
)
CLOCK_SKEW = _gauge(
    "borderpost_clock_skew_seconds",
    "How far this host's clock is ahead of the database's, as last measured.",
)
# Read from the database at each scrape, so that every host shows the same.
DATABASE_UP = _gauge(
    "borderpost_database_up", "1 if the database took a write at this scrape, else 0."
)
HEARTBEAT_AGE = _gauge(
    "borderpost_worker_heartbeat_age_seconds",
    "Time since the last heartbeat of any worker; infinite if there was none.",
)
UNCONFIRMED = _gauge(
    "borderpost_unconfirmed_messages",
    f"Messages that Twilio has not confirmed yet, counted up to {MOST_COUNTED}.",
)
DELIVERIES_DUE = _gauge(
    "borderpost_webhook_deliveries_due",
    f"Webhook deliveries whose time has come, counted up to {MOST_COUNTED}.",
)
BUILD = _gauge("borderpost_build_info", "1, labelled with the version.", ["version"])


@dataclass(frozen=True, slots=True)
class StoredFigures:
    counts: tuple[tuple[Gauge, Callable[[Connection, datetime], int]], ...]


def exposition() -> bytes:
    """Write the metrics of all processes of this host."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(PROCESS_REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
