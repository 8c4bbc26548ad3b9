"""Prometheus metrics; labels hold ids and codes, never numbers or texts."""

import os

from prometheus_client import REGISTRY as PROCESS_REGISTRY
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

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
CLOCK_SKEW = Gauge(
    "borderpost_clock_skew_seconds",
    "How far this host's clock is ahead of the database's, as last measured.",
    multiprocess_mode="livemostrecent",
)


def exposition() -> bytes:
    """Write the counters of all processes of this gateway in Prometheus' text format."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(PROCESS_REGISTRY)
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
