"""docs/metrics.md names every metric and log event of the code; alerts and dashboard know no other."""

import ast
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families
from twilio.http.response import Response

import app.application
import app.cli  # every module with metrics is loaded
from app.db.heartbeats import beat
from app.kernel.clock import utc_now
from app.kernel.ids import new_id
from app.web.metrics import CALLBACKS, GUARD_TRIPS, SENDS
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


def test_every_dashboard_panel_has_its_own_id_and_place() -> None:
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = {tuple(sorted(panel["gridPos"].items())) for panel in panels}
    assert len(places) == len(panels)


def test_alerts_and_dashboard_ask_for_series_of_a_running_gateway(
    gateway: Gateway, factory: Factory
) -> None:
    """Every expression parses; metrics, labels and their values exist. Break: misspell one of them."""
    tenant = factory.tenant(factory.organization(), guarded=True)
    for _ in range(11):  # the guard `number` refuses the last
        sent = gateway.send(tenant)
    assert sent.status_code == 422
    gateway.callback(str(new_id()), "SM" + "0" * 32, "sent")
    labels: dict[str, dict[str, set[str]]] = {}
    for family in text_string_to_metric_families(gateway.get("/metrics").text):
        for sample in family.samples:
            known = labels.setdefault(sample.name, {})
            for name, value in sample.labels.items():
                known.setdefault(name, set()).add(value)
    names = {name for known in labels.values() for name in known} | {"instance", ""}
    wrong = []
    for place, text in _expressions():
        for selector in _selectors(promql_parser.parse(text.replace("$__rate_interval", "5m"))):
            wrong += [(place, one) for one in _unknown_in(selector, labels)]
        grouped = ", ".join(re.findall(r"\bby \(([^)]*)\)", text)).split(", ")
        wrong += [
            (place, f"no metric has the label {one}") for one in set(grouped) - names - {"le"}
        ]
    assert wrong == []


def test_series_of_which_the_first_one_alerts_begin_at_zero(gateway: Gateway) -> None:
    """Break: leave one of them out of `create_app`."""
    for counter in (SENDS, GUARD_TRIPS, CALLBACKS):
        counter.clear()
    app.application.create_app(gateway.services)
    series = list(text_string_to_metric_families(gateway.get("/metrics").text))
    samples = [sample for family in series for sample in family.samples]
    missing = []
    for place, text in _expressions():
        for selector in _selectors(promql_parser.parse(text)) if "increase(" in text else ():
            wanted = {one.name: one.value for one in selector.matchers.matchers}
            found = [
                sample.value
                for sample in samples
                if sample.name == selector.name and wanted.items() <= sample.labels.items()
            ]
            if not found or any(found):
                missing.append(place)
    assert missing == []


def _unknown_in(selector: Any, labels: dict[str, dict[str, set[str]]]) -> Iterator[str]:
    """Name a metric, a label or a value that the gateway does not have."""
    if selector.name == "up":  # Prometheus' own
        return
    if selector.name not in labels:
        yield selector.name
        return
    for matcher in selector.matchers.matchers:
        values = labels[selector.name].get(matcher.name)
        if values is None and matcher.name != "instance":
            yield f"{selector.name} has no label {matcher.name}"
        elif values and (gone := set(matcher.value.split("|")) - values - _constants()):
            yield f"{matcher.name} is never {gone}"


def _expressions() -> Iterator[tuple[str, str]]:
    """Yield each expression of the rules and the dashboard with the name of its place."""
    for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]
    for panel in json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]


def _selectors(expression: Any) -> Iterator[Any]:
    """Yield each selector of series in a parsed expression."""
    match expression:
        case promql_parser.VectorSelector():
            yield expression
        case promql_parser.MatrixSelector():
            yield expression.vector_selector
        case promql_parser.BinaryExpr():
            yield from _selectors(expression.lhs)
            yield from _selectors(expression.rhs)
        case promql_parser.Call():
            for argument in expression.args:
                yield from _selectors(argument)
        case promql_parser.NumberLiteral():
            pass
        case _:
            yield from _selectors(expression.expr)


@cache
def _constants() -> set[str]:
    """Return what the code may give a label as its value: strings, and classes of errors."""
    files = [
        path
        for one in ("providers/twilio", "kernel")
        for path in (ROOT / "app" / one).rglob("*.py")
    ]
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in files)
    nodes = [node for tree in trees for node in ast.walk(tree)]
    errors = {node.name for node in nodes if isinstance(node, ast.ClassDef)}
    return errors | {str(node.value) for node in nodes if isinstance(node, ast.Constant)}


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
            return [(text, _LEVELS[method]) for text in texts if isinstance(text, str)]
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
