"""Tracing by OpenTelemetry, set up by its own variables: https://opentelemetry.io/docs/specs/otel/configuration.

Attributes have the names of its semantic conventions, and hold no address, path, prompt, caption or key.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePath
from typing import Any, Final

from cutline.captioners.hosted.endpoint import carried
from cutline.captioners.wrapper import Wrapper
from cutline.errors import ConfigError, MissingExtra, RequestError, SampleError
from cutline.imaging import Picture
from cutline.interfaces import Captioner
from cutline.prompts import Prompt
from cutline.records import Reply
from cutline.service.telemetry.tracing import Attributes, Kind, Span, Tracing

_ADDRESSES: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_PROTOCOL: Final = "http/protobuf"
_LONGEST_FLUSH: Final = 3.0  # seconds at the end


def tracing_of(environment: Mapping[str, str]) -> Tracing:
    """As the standard variables want it; without them nothing of OpenTelemetry is imported.

    Raises:
        ConfigError: they ask for what is not spoken here.
        MissingExtra: ``otel`` is not installed.
    """
    given = {name: value.strip() for name, value in environment.items() if value.strip()}
    exporter = given.get(
        "OTEL_TRACES_EXPORTER", "otlp" if any(name in given for name in _ADDRESSES) else "none"
    )
    if given.get("OTEL_SDK_DISABLED", "").lower() == "true" or exporter == "none":
        return Tracing()
    if exporter != "otlp":
        raise ConfigError(f"OTEL_TRACES_EXPORTER={exporter} is not known here: set it to otlp or none")
    name = next((name for name in _PROTOCOLS if name in given), _PROTOCOLS[1])
    if given.get(name, _PROTOCOL) != _PROTOCOL:
        raise ConfigError(f"{name}={given[name]} is not spoken here: set it to {_PROTOCOL}")
    try:
        return OpenTelemetry(named="service.name=" in given.get("OTEL_RESOURCE_ATTRIBUTES", ""))
    except ImportError:
        asking = next(name for name in ("OTEL_TRACES_EXPORTER", *_ADDRESSES) if name in given)
        raise MissingExtra(f"{asking} asks for tracing, which", "otel") from None


class OpenTelemetry(Tracing):
    """Sends spans by OTLP over HTTP, from a thread of its own.

    The provider is ours alone: what else in this process uses OpenTelemetry neither sees nor sends it.
    """

    is_on = True

    def __init__(self, *, named: bool) -> None:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._exporter: Any = OTLPSpanExporter()

        def provider() -> TracerProvider:
            own = {} if named or "OTEL_SERVICE_NAME" in os.environ else {"service.name": "cutline"}
            made = TracerProvider(resource=Resource.create(own), shutdown_on_exit=False)
            made.add_span_processor(BatchSpanProcessor(self._exporter))
            return made

        self._trace: Any = trace
        self._provider_of: Callable[[], TracerProvider] = provider
        self._provider: TracerProvider | None = None
        self._tracer: trace.Tracer = trace.NoOpTracer()
        self._propagator = TraceContextTextMapPropagator()

    def open(self) -> None:
        self._provider = self._provider_of()
        self._tracer = self._provider.get_tracer("cutline")

    @contextlib.contextmanager
    def span(
        self, name: str, kind: Kind = "internal", *, parent: Mapping[str, str] | None = None
    ) -> Iterator[Span]:
        context = None if parent is None else self._propagator.extract(parent)
        with self._tracer.start_as_current_span(
            name,
            context,
            kind=self._trace.SpanKind[kind.upper()],
            record_exception=False,  # messages hold paths and addresses
            set_status_on_exception=False,
        ) as span:
            told = _Told(span, self._trace)
            try:
                yield told
            except Exception as error:
                told.fail(
                    error.kind if isinstance(error, SampleError | RequestError) else type(error).__name__
                )
                raise

    def headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        self._propagator.inject(headers)
        return headers

    def around(self, captioner: Captioner) -> Captioner:
        return Traced(captioner, self)

    def close(self) -> None:
        if self._provider is None:
            return
        # Flushing takes as long as the collector likes, and one that is away must not hold up the end.
        ending = threading.Thread(target=self._provider.shutdown, daemon=True)
        ending.start()
        ending.join(_LONGEST_FLUSH)
        if ending.is_alive():
            self._exporter.shutdown()
            ending.join(1.0)


class _Told(Span):
    def __init__(self, span: Any, trace: Any) -> None:
        self._span, self._trace = span, trace

    def note(self, attributes: Attributes) -> None:
        self._span.set_attributes(attributes)

    def fail(self, kind: str) -> None:
        self.note({"error.type": kind})
        self._span.set_status(self._trace.StatusCode.ERROR)

    def rename(self, name: str) -> None:
        self._span.update_name(name)


class Traced(Wrapper):
    """A captioner whose calls are spans; endpoints receive their trace headers."""

    def __init__(self, inner: Captioner, tracing: Tracing) -> None:
        super().__init__(inner)
        self._tracing = tracing
        provider, _, model = inner.name.partition(":")
        self._provider, self._model = provider, PurePath(model).name or provider

    async def caption(self, picture: Picture, prompt: Prompt) -> Reply:
        with self._tracing.span(f"chat {self._model}", "client") as span:
            span.note({"gen_ai.operation.name": "chat", "gen_ai.provider.name": self._provider})
            span.note({"gen_ai.request.model": self._model})
            before = carried.set(self._tracing.headers())
            try:
                reply = await self.inner.caption(picture, prompt)
            finally:
                carried.reset(before)
            if isinstance(reply, Reply):
                span.note(_told_of(reply))
            return reply


def _told_of(reply: Reply) -> Attributes:
    finish = {"gen_ai.response.finish_reasons": [reply.finish_reason]} if reply.finish_reason else {}
    return {
        "gen_ai.usage.input_tokens": reply.usage.prompt_tokens,
        "gen_ai.usage.output_tokens": reply.usage.completion_tokens,
        "cutline.attempts": reply.attempts,
        **finish,
    }
