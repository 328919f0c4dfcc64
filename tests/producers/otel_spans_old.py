"""OpenTelemetry's client spans by the old names of their attributes: `http.method`, `http.url`, `http.status_code`."""

import otel_spans

otel_spans.run("otel-old")
