"""httpx's messages as OpenTelemetry's log records, in OTLP JSON."""

import logging

from common import OUT, make_all, with_httpx, wrote
from opentelemetry.exporter.otlp.json.file._log_exporter import FileLogExporter
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor

provider = LoggerProvider()
provider.add_log_record_processor(SimpleLogRecordProcessor(FileLogExporter(OUT / "otel-logs.log")))
logging.getLogger("httpx").addHandler(LoggingHandler(logger_provider=provider))
logging.getLogger("httpx").setLevel(logging.INFO)
wrote("otel-logs", "httpx", "opentelemetry-sdk")
make_all(with_httpx())
provider.shutdown()
