"""Print the spans of one call."""

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from agent_exec import ExecTool

exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)

with ExecTool(".", policy="default") as tool:
    tool.run_sync(["git", "--version"])

for span in exporter.get_finished_spans():
    attributes = span.attributes or {}
    for name in ("agent_exec.policy.decision", "process.exit.code"):
        if name in attributes:
            print(f"{span.name} {name}={attributes[name]}")
