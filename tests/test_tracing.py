"""Traces: a request and the provider's call are spans, and nothing of them names a person."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from twilio.http.response import Response

from app.db.encryption import Cipher
from app.db.engine import Database
from app.tracing import TRACING, Tracing, is_wanted
from support.factories import US_NUMBER, Gateway, Tenant, open_gateway

pytestmark = pytest.mark.one_engine
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """The spans of this process, as an exporter would send them."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    exporter = InMemorySpanExporter()
    TRACING.start(SimpleSpanProcessor(exporter))
    yield exporter
    TRACING.tracer = None


def _sent(spans: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in spans.get_finished_spans()}


def test_a_send_is_two_spans_of_the_callers_trace(
    spans: InMemorySpanExporter, database: Database, cipher: Cipher, tmp_path: Path, tenant: Tenant
) -> None:
    """Break: leave out `attach`, or set the address of the request as an attribute."""
    gateway = open_gateway(database, cipher, tmp_path)
    assert gateway.send(tenant, traceparent=PARENT).status_code == 201
    found = _sent(spans)
    assert set(found) == {"POST /v1/sms", "create message"}
    request, call = found["POST /v1/sms"], found["create message"]
    assert f"{request.context.trace_id:032x}" == TRACE
    assert call.parent is not None
    assert call.parent.span_id == request.context.span_id
    assert (call.attributes or {})["borderpost.outcome"] == "Accepted"
    assert (request.attributes or {})["http.response.status_code"] == 201
    for text in ("".join(span.to_json() for span in found.values()), repr(found)):
        assert US_NUMBER not in text
        assert "Your code is" not in text


def test_error_and_unknown_path_are_distinguished(
    spans: InMemorySpanExporter, database: Database, cipher: Cipher, tmp_path: Path, tenant: Tenant
) -> None:
    gateway = open_gateway(database, cipher, tmp_path)
    gateway.twilio.script.append(Response(504, ""))
    assert gateway.send(tenant).status_code == 504
    assert gateway.get(f"/nowhere/{US_NUMBER}").status_code == 404
    found = _sent(spans)
    assert (found["create message"].attributes or {})["borderpost.outcome"] == "Unconfirmed"
    assert not found["POST /v1/sms"].status.is_ok
    assert (found["GET unmatched"].attributes or {})["http.response.status_code"] == 404
    assert US_NUMBER not in "".join(span.to_json() for span in found.values())


def test_tracing_is_off_by_default(gateway: Gateway) -> None:
    hooks = gateway.client.application.before_request_funcs[None]
    assert [hook for hook in hooks if hook.__module__ == "app.tracing"] == []
    assert not is_wanted({})
    assert is_wanted({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318"})


def test_gateway_runs_without_the_packages_and_logs_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    tracing = Tracing()
    tracing.start()
    assert tracing.tracer is None
    assert "tracing_not_installed" in capsys.readouterr().out
