"""Health, readiness, version and metrics."""

import hmac
import math
import re
from dataclasses import dataclass
from importlib.metadata import version

from flask import Response, request
from marshmallow import fields
from prometheus_client import CONTENT_TYPE_LATEST

from app.db.engine import Database
from app.db.heartbeats import last_beat
from app.db.installation import InstallationSecrets, SecretsDiffer
from app.db.leases import require_writable
from app.db.schema import current_revision, latest_revision
from app.kernel import errors as e
from app.kernel.clock import Clock, clock_skew, rfc3339
from app.kernel.hosts import is_loopback
from app.web.fields import View
from app.web.metrics import BUILD, CLOCK_SKEW, DATABASE_UP, HEARTBEAT_AGE, StoredFigures, exposition
from app.web.registry import get_service
from app.web.routes import Answer, Routes, json_answer

routes = Routes("Operations", ignores_unknown=True)
_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:[0-9]+)?", re.ASCII)
# Parts of the names of headers that proxies, load balancers and delivery networks add.
_OF_PROXIES = re.compile(
    r"^via$|^cf-|^cdn-|^fly-|^true-|forward|proxi|proxy|client|real-?ip|remote|original|origin-|"
    r"cluster|hops|envoy|amzn|azure|appengine|akamai|fastly|varnish|traefik|b3-|traceparent",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Anyone:
    """Guard of a public page; ``rule`` is the reason."""

    rule: str

    def __call__(self) -> None:
        """Permit every request."""


@dataclass(frozen=True, slots=True)
class MetricsToken:
    """The token of ``/metrics``; if None, only this machine is answered."""

    token: str | None


@dataclass(frozen=True, slots=True)
class TokenOrLoopback:
    """Guard of ``/metrics``: the token, or this machine if there is none."""

    rule: str = "the metrics token, or loopback where none is set"

    def __call__(self) -> None:
        wanted = get_service(MetricsToken).token
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if wanted is None:
            is_permitted = _is_direct_from_loopback()
        else:
            given = token.strip(" \t").encode("latin-1", "replace")
            is_equal = hmac.compare_digest(given, wanted.encode())
            is_permitted = is_equal and scheme.lower() == "bearer"
        if not is_permitted:
            error = e.Unauthorized("Metrics take a bearer token: BORDERPOST_METRICS_TOKEN.")
            error.scheme = "Bearer"
            raise error


def _is_direct_from_loopback() -> bool:
    # A proxy on this machine has a loopback address too, and adds headers or keeps the public host.
    # With DNS rebinding, the host is the attacker's name.
    if any(_OF_PROXIES.search(name) for name, _ in request.headers):
        return False
    # An absolute request target is meant for a proxy, and takes precedence over the header.
    # By default, nginx adds no header and speaks HTTP/1.0.
    target, protocol = str(request.environ.get("RAW_URI", "/")), request.environ["SERVER_PROTOCOL"]
    if not target.startswith("/") or protocol == "HTTP/1.0":
        return False
    host = _HOST.fullmatch(request.headers.get("Host", ""))
    if host is None or not is_loopback(request.remote_addr or ""):
        return False
    return is_loopback(host["name"].strip("[]"))


class Health(View):
    """The process is alive."""

    status = fields.String(metadata={"example": "ok"})


class SchemaState(View):
    """The migration of the database, and the one that the program needs."""

    found = fields.String(allow_none=True, metadata={"example": "0007"})
    wanted = fields.String(metadata={"example": "0007"})


class WorkerState(View):
    """The last heartbeat of a worker; reported, not required."""

    heartbeat_at = fields.DateTime(allow_none=True)


class ClockState(View):
    """How far this host's clock is ahead of the database's; not required."""

    skew_seconds = fields.Float(allow_none=True, metadata={"example": 0.0})


class Readiness(View):
    """Whether requests can be served."""

    status = fields.String(metadata={"example": "ready"})
    database = fields.String(metadata={"example": "ok"})
    secrets = fields.String(metadata={"example": "ok"})
    schema = fields.Nested(SchemaState)
    worker = fields.Nested(WorkerState)
    clock = fields.Nested(ClockState)


class Version(View):
    """The name and version of this program."""

    name = fields.String(metadata={"example": "borderpost"})
    version = fields.String(metadata={"example": "0.1.0"})


@routes.add("GET", "/healthz", Anyone("tells only that it is alive"), {200: Health})
def healthz(_: None) -> Answer:
    """Answer that the process is alive, without the database."""
    return json_answer({"status": "ok"})


@routes.add(
    "GET", "/readyz", Anyone("tells only whether it is ready"), {200: Readiness, 503: Readiness}
)
def readyz(_: None) -> Answer:
    """Report whether database, migrations and secrets of this host are ready."""
    database, wanted = "unreachable", latest_revision()
    found = beat = skew = differing = None
    try:
        skew = get_service(Database).measure_clock()
        found = current_revision(get_service(Database))
        if found == wanted:
            get_service(InstallationSecrets).prepare(get_service(Database))
            with get_service(Database).reading() as connection:
                beat = last_beat(connection)
                differing = get_service(InstallationSecrets).find_differing(connection)
            database = "cannot be written"
            require_writable(get_service(Database), get_service(Clock).now())
        database = "ok" if found == wanted else "migrations missing"
    except e.ServiceUnavailable:
        if database == "unreachable":
            found = differing = None
    ready = database == "ok" and differing == []
    secrets = "unknown" if differing is None else "ok"
    if differing:
        secrets = str(SecretsDiffer(differing))
    return json_answer(
        {
            "status": "ready" if ready else "not ready",
            "database": database,
            "secrets": secrets,
            "schema": {"found": found, "wanted": wanted},
            "worker": {"heartbeat_at": rfc3339(beat)},
            "clock": {"skew_seconds": None if skew is None else round(skew.total_seconds(), 3)},
        },
        200 if ready else 503,
    )


@routes.add("GET", "/version", Anyone("the version is no secret"), {200: Version})
def get_version(_: None) -> Answer:
    """Return the version."""
    return json_answer({"name": "borderpost", "version": version("borderpost")})


@routes.add("GET", "/metrics", TokenOrLoopback(), {200: "text/plain"}, errors=(e.Unauthorized,))
def metrics(_: None) -> Answer:
    """Show the counters in Prometheus' text format."""
    skew = clock_skew()
    if skew is not None:
        CLOCK_SKEW.set(skew.total_seconds())
    BUILD.labels(version("borderpost")).set(1)
    try:
        _measure_stored()
    except e.ServiceUnavailable:
        DATABASE_UP.set(0)
    else:
        DATABASE_UP.set(1)
    return Response(exposition(), content_type=CONTENT_TYPE_LATEST)


def _measure_stored() -> None:
    if current_revision(get_service(Database)) != latest_revision():
        return  # the tables that are counted may not exist yet
    now = get_service(Clock).now()
    require_writable(get_service(Database), now)
    with get_service(Database).reading() as connection:
        beat = last_beat(connection)
        counts = [
            (gauge, count(connection, now)) for gauge, count in get_service(StoredFigures).counts
        ]
    HEARTBEAT_AGE.set(math.inf if beat is None else max(0.0, (now - beat).total_seconds()))
    for gauge, counted in counts:
        gauge.set(counted)
