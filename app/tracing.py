"""OpenTelemetry traces, with the extra ``otel`` and an endpoint in the environment.

Attributes contain routes, statuses and outcomes, never an address, a query, a number or a text.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import structlog
from flask import Flask, Response, g, request

from app.providers.port import Outbound, Outcome, SmsProvider
from app.web.requests import current_request_id
from app.web.waiting import condition_to_run_again

_log = structlog.get_logger(__name__)
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_SERVER_ERROR = 500


def is_wanted(environ: Mapping[str, str] | None = None) -> bool:
    """Whether the environment names an endpoint for traces."""
    given = os.environ if environ is None else environ
    return any(given.get(name) for name in _ENDPOINTS)


@dataclass
class Tracing:
    """The tracer of this process, None unless started."""

    tracer: Any = None

    def start(self, processor: Any = None) -> None:
        """Call it after the fork: the exporter has its own thread."""
        try:
            from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
            from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415

            if processor is None:
                processor = _exporting()
        except ImportError:
            _log.warning("tracing_not_installed", remedy="pip install 'borderpost[otel]'")
            return
        about = {"service.name": "borderpost", "service.version": version("borderpost")}
        provider = TracerProvider(resource=Resource.create(about))
        provider.add_span_processor(processor)
        self.tracer = provider.get_tracer("borderpost")


TRACING = Tracing()


def _exporting() -> Any:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    return BatchSpanProcessor(OTLPSpanExporter())


def install_tracing(app: Flask) -> None:
    """Make each request a span, within the trace of its ``traceparent``."""
    app.before_request(_begin)
    app.after_request(_finish)
    app.teardown_request(_detach)


def _begin() -> None:
    if TRACING.tracer is None:
        return
    from opentelemetry import context, propagate, trace  # noqa: PLC0415

    parent = propagate.extract({"traceparent": request.headers.get("traceparent", "")})
    span = TRACING.tracer.start_span(
        request.method, context=parent, kind=trace.SpanKind.SERVER, record_exception=False
    )
    g.span = span
    g.span_token = context.attach(trace.set_span_in_context(span, parent))


def _finish(answer: Response) -> Response:
    span = g.get("span")
    # A request that will run again is not answered yet: its next run has a span.
    if span is None or condition_to_run_again(request.environ) is not None:
        return answer
    from opentelemetry.trace import StatusCode  # noqa: PLC0415

    route = request.url_rule.rule if request.url_rule else "unmatched"
    span.update_name(f"{request.method} {route}")
    span.set_attribute("http.request.method", request.method)
    span.set_attribute("http.route", route)
    span.set_attribute("http.response.status_code", answer.status_code)
    span.set_attribute("borderpost.request_id", current_request_id())
    if answer.status_code >= _SERVER_ERROR:
        span.set_status(StatusCode.ERROR)
    span.end()
    return answer


def _detach(_problem: BaseException | None) -> None:
    token = g.pop("span_token", None)
    if token is not None:
        from opentelemetry import context  # noqa: PLC0415

        context.detach(token)


@dataclass(frozen=True, slots=True)
class TracedProvider:
    """Adds a span to each call of `app.messages.ports.SmsProvider`."""

    provider: SmsProvider

    def create(self, outbound: Outbound) -> Outcome:
        if TRACING.tracer is None:
            return self.provider.create(outbound)
        from opentelemetry.trace import SpanKind  # noqa: PLC0415

        with TRACING.tracer.start_as_current_span(
            "create message", kind=SpanKind.CLIENT, record_exception=False
        ) as span:
            outcome = self.provider.create(outbound)
            span.set_attribute("borderpost.outcome", type(outcome).__name__)
            span.set_attribute("borderpost.message_id", str(outbound.message_id))
            return outcome
