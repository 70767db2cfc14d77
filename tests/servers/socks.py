"""A SOCKS5 proxy in a process of its own, which takes a user name and a password or neither.

    python tests/servers/socks.py

Prints ``ready PORT``; then a line with the destination of each connection, as the client named it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import sys


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    _, methods = await reader.readexactly(2)
    offered = await reader.readexactly(methods)
    if 2 in offered:
        writer.write(b"\x05\x02")
        user = (await reader.readexactly(2))[1]
        name = await reader.readexactly(user)
        password = await reader.readexactly((await reader.readexactly(1))[0])
        print("login", name.decode(), password.decode(), flush=True)
        writer.write(b"\x01\x00")
    else:
        writer.write(b"\x05\x00")
    kind = (await reader.readexactly(4))[3]
    if kind == 3:
        host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
    else:
        host = str(ipaddress.ip_address(await reader.readexactly(4 if kind == 1 else 16)))
    port = int.from_bytes(await reader.readexactly(2))
    print("connect", host, port, flush=True)
    target = "127.0.0.1" if host.endswith(".test") or host == "192.0.2.7" else host
    try:
        back, forth = await asyncio.open_connection(target, port)
    except OSError:
        writer.write(b"\x05\x05\x00\x01" + bytes(6))
        writer.close()
        return
    writer.write(b"\x05\x00\x00\x01" + bytes(6))
    await asyncio.gather(copy(reader, forth), copy(back, writer))


async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        target.write(data)
        await target.drain()
    target.close()


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print("ready", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
