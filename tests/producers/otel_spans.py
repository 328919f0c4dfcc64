"""OpenTelemetry's client spans of httpx, in OTLP JSON: a line a span, and many spans a line, as a batch has them."""

import os

from common import OUT, make_all, with_httpx, wrote


def run(name):
    """Make all calls; each becomes a span."""
    from opentelemetry.exporter.otlp.json.file import FileSpanExporter
    from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": "sync"}))
    for log, processor in {name: SimpleSpanProcessor, f"{name}-batch": BatchSpanProcessor}.items():
        provider.add_span_processor(processor(FileSpanExporter(OUT / f"{log}.log")))
        wrote(log, "opentelemetry-instrumentation-httpx")
    HTTPXClientInstrumentor().instrument(tracer_provider=provider)
    make_all(with_httpx())
    provider.shutdown()


if __name__ == "__main__":
    # The names of attributes that are stable since 2023, and not yet what comes without being asked for.
    os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = "http"
    run("otel")
