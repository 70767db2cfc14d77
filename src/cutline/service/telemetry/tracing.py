"""Spans by OpenTelemetry's API, exported only where its SDK and its own variables are set.

Variables: https://opentelemetry.io/docs/specs/otel/configuration. Attributes have the names of its semantic
conventions, and hold no address, path, prompt, caption or key.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Final, TypeAlias

from opentelemetry.trace import NoOpTracer, Span, SpanKind, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from cutline.captioners.hosted.endpoint import carried
from cutline.captioners.wrapper import Wrapper
from cutline.errors import ConfigError, MissingExtra, RequestError, SampleError
from cutline.imaging import Picture
from cutline.interfaces import Captioner
from cutline.prompts import Prompt
from cutline.records import Reply

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

__all__ = ["Attributes", "SpanKind", "Tracing", "set_error"]

Attributes: TypeAlias = Mapping[str, str | int | list[str]]
_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_PROTOCOL: Final = "http/protobuf"
_FLUSH_SECONDS: Final = 3.0  # at the end
_PROPAGATOR: Final = TraceContextTextMapPropagator()


class Tracing:
    """The service's spans. Without an exporter the tracer is the API's own no-op.

    The provider is private: what else in this process uses OpenTelemetry neither sees nor exports its spans.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Raises ConfigError for variables that are not supported, MissingExtra without ``otel``."""
        given = {name: value.strip() for name, value in environment.items() if value.strip()}
        self._is_named = "service.name=" in given.get("OTEL_RESOURCE_ATTRIBUTES", "")
        self._exporter = _exporter(given)
        self._provider: TracerProvider | None = None
        self._tracer: Tracer = NoOpTracer()

    @property
    def is_on(self) -> bool:
        return self._exporter is not None

    def open(self) -> None:
        """Start the thread that exports spans."""
        if self._exporter is None:
            return
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        own = {} if self._is_named or "OTEL_SERVICE_NAME" in os.environ else {"service.name": "cutline"}
        self._provider = TracerProvider(resource=Resource.create(own), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer("cutline")

    @contextlib.contextmanager
    def span(
        self,
        name: str,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes | None = None,
        *,
        parent: Mapping[str, str] | None = None,
    ) -> Iterator[Span]:
        """A span within the current one, or within ``parent``: the headers of a trace."""
        context = None if parent is None else _PROPAGATOR.extract(parent)
        with self._tracer.start_as_current_span(
            name,
            context,
            kind,
            attributes,
            record_exception=False,  # messages hold paths and addresses
            set_status_on_exception=False,
        ) as span:
            try:
                yield span
            except Exception as error:
                known = error if isinstance(error, SampleError | RequestError) else None
                set_error(span, known.kind if known is not None else type(error).__name__)
                raise

    def headers(self) -> dict[str, str]:
        """W3C's ``traceparent`` and ``tracestate`` of the current span."""
        headers: dict[str, str] = {}
        _PROPAGATOR.inject(headers)
        return headers

    def traced(self, captioner: Captioner) -> Captioner:
        """The captioner with a span for each call, if spans are exported."""
        return TracedCaptioner(captioner, self) if self.is_on else captioner

    def close(self) -> None:
        """Export what is left; may take a few seconds."""
        if self._provider is None or self._exporter is None:
            return
        # Flushing takes as long as the collector likes, and one that is away must not hold up the end.
        ending = threading.Thread(target=self._provider.shutdown, daemon=True)
        ending.start()
        ending.join(_FLUSH_SECONDS)
        if ending.is_alive():
            self._exporter.shutdown()
            ending.join(1.0)


def set_error(span: Span, kind: str) -> None:
    """Mark the span as failed; ``kind`` is a short stable word."""
    span.set_attribute("error.type", kind)
    span.set_status(StatusCode.ERROR)


class TracedCaptioner(Wrapper):
    """A captioner with a span for each call; the trace is passed on in the request's headers."""

    def __init__(self, inner: Captioner, tracing: Tracing) -> None:
        super().__init__(inner)
        self._tracing = tracing
        provider, _, model = inner.name.partition(":")
        self._provider, self._model = provider, PurePath(model).name or provider

    async def caption(self, picture: Picture, prompt: Prompt) -> Reply:
        attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": self._provider,
            "gen_ai.request.model": self._model,
        }
        with self._tracing.span(f"chat {self._model}", SpanKind.CLIENT, attributes) as span:
            token = carried.set(self._tracing.headers())
            try:
                reply = await self.inner.caption(picture, prompt)
            finally:
                carried.reset(token)
            if isinstance(reply, Reply):
                span.set_attributes(
                    {
                        "gen_ai.usage.input_tokens": reply.usage.prompt_tokens,
                        "gen_ai.usage.output_tokens": reply.usage.completion_tokens,
                        "cutline.attempts": reply.attempts,
                    }
                )
                if reply.finish_reason:
                    span.set_attribute("gen_ai.response.finish_reasons", [reply.finish_reason])
            return reply


def _exporter(given: Mapping[str, str]) -> SpanExporter | None:
    """The exporter that the variables ask for; without them nothing of the SDK is imported."""
    name = given.get("OTEL_TRACES_EXPORTER", "otlp" if any(one in given for one in _ENDPOINTS) else "none")
    if given.get("OTEL_SDK_DISABLED", "").lower() == "true" or name == "none":
        return None
    if name != "otlp":
        raise ConfigError(f"OTEL_TRACES_EXPORTER={name} is not supported: set it to otlp or none")
    protocol = next((one for one in _PROTOCOLS if one in given), _PROTOCOLS[1])
    if given.get(protocol, _PROTOCOL) != _PROTOCOL:
        raise ConfigError(f"{protocol}={given[protocol]} is not supported: set it to {_PROTOCOL}")
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError:
        cause = next(one for one in ("OTEL_TRACES_EXPORTER", *_ENDPOINTS) if one in given)
        raise MissingExtra(f"{cause} turns on tracing, which", "otel") from None
    return OTLPSpanExporter()
