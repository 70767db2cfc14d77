"""An HTTP proxy in a process of its own, which gives every request one response.

    python tests/servers/refusing_proxy.py STATUS

Prints ``ready PORT``. The response is a page of HTML; then the connection ends.
"""

from __future__ import annotations

import asyncio
import sys

PAGE = b"<html><title>Proxy</title></html>"


async def main(status: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 {status} Response\r\nContent-Type: text/html\r\nContent-Length: {len(PAGE)}\r\n\r\n"
        writer.write(head.encode() + PAGE)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print("ready", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main(sys.argv[1]))
