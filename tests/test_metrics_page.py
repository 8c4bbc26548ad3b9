"""docs/metrics.md names every metric and log event of the code; alerts and dashboard know no other."""

import ast
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from twilio.http.response import Response

import app.application
import app.cli  # noqa: F401 (every module with metrics is loaded)
from app.db.heartbeats import beat
from app.kernel.clock import utc_now
from support.factories import Factory, Gateway, Tenant

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
RULES = ROOT / "deploy" / "prometheus" / "borderpost.rules.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "borderpost.json"


def _documented() -> dict[str, str]:
    return dict(re.findall(r"^\| `(borderpost_\w+)` \| (\w+) \|", PAGE, re.MULTILINE))


def _declared() -> dict[str, str]:
    found = {}
    for one in REGISTRY.collect():
        if one.name.startswith("borderpost_"):
            found[f"{one.name}_total" if one.type == "counter" else one.name] = one.type
    return found


def test_every_metric_has_a_row_and_a_conventional_name() -> None:
    """Break: add a metric to `app/web/metrics.py`."""
    declared = _declared()
    assert _documented() == declared
    assert [
        n for n, kind in declared.items() if kind == "histogram" and not n.endswith("_seconds")
    ] == []


def test_alerts_and_dashboard_use_documented_metrics() -> None:
    used = set()
    for text in (RULES.read_text(encoding="utf-8"), DASHBOARD.read_text(encoding="utf-8")):
        used |= set(re.findall(r"borderpost_\w+", text))
    known = {
        f"{name}{suffix}"
        for name, kind in _documented().items()
        for suffix in (("", "_bucket", "_count", "_sum") if kind == "histogram" else ("",))
    }
    assert used - known == set()
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = {tuple(sorted(panel["gridPos"].items())) for panel in panels}
    assert len(places) == len(panels)


def test_promtool_accepts_the_rules_and_their_test() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (package prometheus)")
    command = [promtool, "test", "rules", str(RULES.with_name("borderpost.rules.test.yml"))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_log_event_has_a_row_with_its_level() -> None:
    """Break: log a new event anywhere in `app/`."""
    logged: dict[str, set[str]] = {}
    for path in (ROOT / "app").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for event, level in _events_of(node):
                logged.setdefault(event, set()).add(level)
    _, _, table = PAGE.partition("## Log events")
    rows: dict[str, set[str]] = {}
    for names, levels in re.findall(r"^\| (`[^|]+`) \| ([a-z, ]+) \|", table, re.MULTILINE):
        for name in re.findall(r"`(\w+)`", names):
            rows[name] = set(levels.split(", "))
    assert set(rows) == set(logged)
    wrong = {name: levels for name, levels in logged.items() if not levels <= rows[name]}
    assert wrong == {}


_LEVELS = {"info": "info", "warning": "warning", "error": "error", "exception": "error"}


def _events_of(node: ast.AST) -> list[tuple[str, str]]:
    match node:
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id="_log"), attr=method), args=[first, *_]
        ) if method in _LEVELS:
            texts = [one.value for one in ast.walk(first) if isinstance(one, ast.Constant)]
            return [(str(text), _LEVELS[method]) for text in texts]
    return []


def _read(gateway: Gateway) -> dict[str, float]:
    text = gateway.get("/metrics").text
    return {
        name: float(value)
        for name, value in re.findall(r"^(borderpost_\w+) (\S+)$", text, re.MULTILINE)
    }


def test_the_database_is_counted_at_each_scrape(
    gateway: Gateway, factory: Factory, tenant: Tenant
) -> None:
    """Break: leave out `_measure_stored` in `metrics`, or count what is settled."""
    before = _read(gateway)
    assert before["borderpost_database_up"] == 1
    assert before["borderpost_unconfirmed_messages"] == 0
    assert before["borderpost_worker_heartbeat_age_seconds"] == float("inf")
    gateway.twilio.script.append(Response(504, ""))
    assert gateway.send(tenant).status_code == 504
    with factory.database.writing() as connection:
        beat(connection, "a worker", utc_now())
    after = _read(gateway)
    assert after["borderpost_unconfirmed_messages"] == 1
    assert after["borderpost_worker_heartbeat_age_seconds"] < 60
    assert after["borderpost_webhook_deliveries_due"] == 0
