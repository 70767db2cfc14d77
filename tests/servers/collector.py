"""Takes spans by OTLP over HTTP, as OpenTelemetry's collectors do, in a process of its own.

Prints ``ready PORT``. ``GET /spans`` is what came: ``[{name, trace, id, parent, kind, error, attributes, service}]``.
"""

from __future__ import annotations

import asyncio
import gzip

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from ready import on_a_port


class Collector:
    def __init__(self) -> None:
        self.spans: list[dict[str, object]] = []
        self.keys: list[str] = []

    async def traces(self, request: web.Request) -> web.Response:
        body = await request.read()
        if request.headers.get("Content-Encoding") == "gzip" and body[:2] == b"\x1f\x8b":
            body = gzip.decompress(body)
        self.keys.append(request.headers.get("X-Collector-Key", ""))
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            about = {one.key: one.value.string_value for one in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += [
                    described(span) | {"service": about.get("service.name")} for span in scope.spans
                ]
        answer = ExportTraceServiceResponse().SerializeToString()
        return web.Response(body=answer, content_type="application/x-protobuf")

    async def told(self, _: web.Request) -> web.Response:
        return web.json_response(self.spans)

    async def sent_keys(self, _: web.Request) -> web.Response:
        return web.json_response(self.keys)


def described(span) -> dict[str, object]:
    attributes = {}
    for one in span.attributes:
        kind = one.value.WhichOneof("value")
        value = getattr(one.value, kind)
        attributes[one.key] = [each.string_value for each in value.values] if kind == "array_value" else value
    return {
        "name": span.name,
        "trace": span.trace_id.hex(),
        "id": span.span_id.hex(),
        "parent": span.parent_span_id.hex(),
        "kind": span.kind,
        "error": span.status.code == 2,
        "message": span.status.message,
        "events": len(span.events),
        "attributes": attributes,
    }


async def serve() -> None:
    collector = Collector()
    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/v1/traces", collector.traces)
    app.router.add_get("/spans", collector.told)
    app.router.add_get("/keys", collector.sent_keys)
    await on_a_port(app)


if __name__ == "__main__":
    asyncio.run(serve())
