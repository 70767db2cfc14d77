"""An endpoint whose server is started, or its model pulled, before the first picture."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cutline.captioners.endpoint_factory import build_endpoint, find_key, options_of_service
from cutline.captioners.hosted.preset import Preset
from cutline.captioners.servers.ollama_pull import pull
from cutline.captioners.servers.programs import PROGRAMS
from cutline.captioners.servers.server import Server, server_for
from cutline.captioners.servers.settings import ServerOptions, split_arguments
from cutline.captioners.spec import SERVER_OPTIONS, CaptionerOptions, Spec, refuse_unknown
from cutline.captioners.wrapper import Wrapper
from cutline.errors import ConfigError, Retryable, RunStopped
from cutline.imaging import Picture
from cutline.interfaces import Say, silent
from cutline.prompts import Prompt
from cutline.records import Reply

if TYPE_CHECKING:
    from cutline.captioners.hosted.nvidia import NvidiaHosted
    from cutline.captioners.hosted.openai import OpenAIChat

_HERE = ("localhost", "127.0.0.1")


def build_served(spec: Spec, preset: Preset, options: CaptionerOptions) -> OpenAIChat | NvidiaHosted | Served:
    """The endpoint, with its server around it where that is to be started or to fetch the model.

    Raises:
        ConfigError: as ``build_endpoint``; or the server cannot be started here.
    """
    given = options.options
    if not any(name in given for name in SERVER_OPTIONS):
        return build_endpoint(spec, preset, options, is_limited=True)
    refuse_unknown(spec.provider, given, options_of_service(spec, preset))
    if given.get("port") is not None:
        if options.endpoint is not None:
            raise ConfigError("--endpoint names its port: remove --port")
        options = dataclasses.replace(options, endpoint=_at_port(preset.endpoint, given["port"]))
    server = _server(spec, preset, options) if given.get("start") else None
    if server is not None:
        options = dataclasses.replace(options, endpoint=server.url)
    inner = build_endpoint(spec, preset, options, is_limited=True)
    if server is None and not given.get("pull"):
        return inner
    from cutline.captioners.hosted.openai import OpenAIChat

    assert isinstance(inner, OpenAIChat)  # nobody else has a server of its own
    return Served(inner, server, pulled=(spec.name or preset.default_model) if given.get("pull") else None)


def _server(spec: Spec, preset: Preset, options: CaptionerOptions) -> Server:
    program = PROGRAMS[preset.name]
    model = spec.name or preset.default_model
    if not model:
        raise ConfigError(f"{spec.provider} needs a model name: --model {spec.provider}:NAME")
    key = options.key or find_key(preset)
    if options.key is not None and not program.key_env:
        raise ConfigError(
            f"{program.name} takes no key but as an argument, which others can see: "
            "remove --api-key or --start"
        )
    return server_for(
        program,
        model,
        split_arguments(options.options.get("server_args")),
        port=_port(options.endpoint, preset, shared=program.shared),
        key=key if program.key_env else None,
        timeout=options.options.get("start_timeout", ServerOptions().start_timeout),
    )


def _port(endpoint: str | None, preset: Preset, *, shared: bool) -> int | None:
    """The port to start at; None for any that is free."""
    if endpoint is None:
        return urlsplit(preset.endpoint).port if shared else None
    try:
        parts = urlsplit(endpoint)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if host not in _HERE or not port:
        raise ConfigError(
            f"--start starts a server on this machine, and {endpoint} is not a local address "
            "with a port: remove --endpoint or --start"
        )
    return port


def _at_port(endpoint: str, port: int) -> str:
    parts = urlsplit(endpoint)
    return parts._replace(netloc=f"{parts.hostname}:{port}").geturl()


@dataclasses.dataclass(slots=True)
class _Use:
    """What a captioner and those adjusted from it share.

    ``joined``: the server counts us among its users. ``opened``: all is done.
    """

    server: Server | None
    joined: bool = False
    opened: bool = False
    opening: asyncio.Lock = dataclasses.field(default_factory=asyncio.Lock)


class Served(Wrapper):
    """An endpoint on this machine that is called after its server was started, or its model pulled.

    A server that ends while in use stops the run. ``pulled``: the model for Ollama to download.
    """

    def __init__(self, inner: OpenAIChat, server: Server | None, *, pulled: str | None) -> None:
        super().__init__(inner)
        self._endpoint = inner.endpoint
        self._use = _Use(server)
        self._pulled = pulled

    async def open(self, say: Say = silent) -> None:
        """Start the server and pull the model, unless that was done; start a server that has ended again.

        Raises:
            ConfigError: it cannot be done; with the reason.
        """
        use = self._use
        async with use.opening:
            if use.opened and not (use.server is not None and use.server.has_ended):
                return
            if use.server is not None:
                await use.server.open(say, again=use.joined)
                use.joined = True
            if self._pulled is not None:
                await pull(self._endpoint.url, self._endpoint.key, self._pulled, say)
            use.opened = True

    async def caption(self, picture: Picture, prompt: Prompt) -> Reply:
        """Caption one picture.

        Raises:
            RunStopped: the server has ended.
        """
        if not self._use.opened:
            try:
                await self.open()
            except ConfigError as error:
                raise RunStopped(str(error)) from None
        try:
            return await self.inner.caption(picture, prompt)
        except Retryable as error:
            if error.status is None and self._use.server is not None:
                await self._use.server.check()
            raise

    async def aclose(self) -> None:
        """Close the connections, and end the server."""
        await self.inner.aclose()
        use = self._use
        use.opened = False
        if use.joined and use.server is not None:
            use.joined = False
            await use.server.leave()
