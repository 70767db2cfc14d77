"""Captioners that are built and opened once for all who use them, and the limits that they share."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Hashable

import orjson

from cutline import registry
from cutline.captioners.concurrency import Concurrency, Demand
from cutline.captioners.endpoint_factory import find_key
from cutline.captioners.factory import adjustable, build_inner, start_command, with_parameters
from cutline.captioners.limited import Limited
from cutline.captioners.retry import Retry, RetryState
from cutline.captioners.spec import CaptionerOptions, Spec
from cutline.captioners.wrapper import Wrapper
from cutline.errors import ConfigError
from cutline.interfaces import Captioner
from cutline.records import JSON

DEFAULT_CEILING = 512


@dataclasses.dataclass(slots=True, eq=False)
class _Entry:
    """One captioner of the pool, with what its users share."""

    inner: Captioner
    concurrency: Concurrency
    demand: Demand
    is_remote: bool
    retry_state: RetryState = dataclasses.field(default_factory=RetryState)
    users: int = 0


class CaptionerPool:
    """Hands out captioners; equal ones share their model, connections and slots.

    Captioners are equal when they are made with the same model, options, endpoint and key; parameters that
    ``adjusted`` can set may differ. Those that call the same endpoint with the same key share one
    concurrency limit, whatever their model. ``aclose`` of a captioner gives it back; after the last user it
    is closed. For one event loop.
    """

    def __init__(self) -> None:
        self._entries: dict[Hashable, _Entry] = {}
        self._share: Demand | None = None

    def limit_to(self, requests: int) -> None:
        """Send at most this many concurrent requests to each endpoint, whatever its captioners allow.

        It is a part of a limit that other processes share; a later call replaces it.
        """
        before, self._share = self._share, Demand(ceiling=requests)
        for concurrency in {one.concurrency for one in self._entries.values() if one.is_remote}:
            concurrency.join(self._share)
            if before is not None:
                concurrency.leave(before)

    @property
    def in_flight(self) -> int:
        """The requests under way to the endpoint that has the most now."""
        return max((one.concurrency.in_flight for one in self._entries.values() if one.is_remote), default=0)

    def get(self, text: str, options: CaptionerOptions) -> Captioner:
        """The captioner of that name, with retries, slots and a time limit around it.

        Raises:
            ConfigError: unknown name, missing key or missing model name, or an option that this
                captioner does not support; the message names the cure.
            MissingExtra: it needs an extra.
        """
        spec = Spec.parse(text, endpoint=options.endpoint)
        options = with_parameters(spec, options)
        parameters = adjustable(spec, options)
        try:
            lease = self._lease(spec, options, parameters)
        except ConfigError:
            if not parameters:
                raise
            lease = self._lease(spec, options, {})  # the captioner itself may say more
        entry = lease.entry
        # A local model limits the time of its calls itself: they may wait long for a batch.
        timeout = None if entry.inner.profile.own_timeout else options.timeout
        return Retry(
            Limited(lease, entry.concurrency, timeout=timeout, queued=spec.preset is not None),
            options,
            start=start_command(spec, options),
            state=entry.retry_state,
        )

    def _lease(self, spec: Spec, options: CaptionerOptions, parameters: JSON) -> _Lease:
        """A hold on the captioner of these options, adjusted by those of them that are ``parameters``."""
        others = {name: value for name, value in options.options.items() if name not in parameters}
        options = dataclasses.replace(options, options=others)
        key = _key(spec, options)
        entry = self._entries.get(key)
        inner = build_inner(spec, options, self.get) if entry is None else entry.inner
        adjusted = inner.adjusted(parameters) if parameters else inner
        if entry is None:
            entry = self._entries[key] = self._entry(spec, options, inner)
        entry.users += 1
        return _Lease(self, key, entry, adjusted)

    def _entry(self, spec: Spec, options: CaptionerOptions, inner: Captioner) -> _Entry:
        if spec.preset is None:
            demand = Demand(ceiling=min(options.concurrency or inner.slots, inner.slots), adaptive=False)
        else:
            ceiling = options.concurrency or DEFAULT_CEILING
            demand = Demand(ceiling=ceiling, adaptive=options.concurrency is None, timeout=options.timeout)
        known = (one for one in self._entries.values() if one.inner.limit_key == inner.limit_key)
        sharing = next(known, None)
        concurrency = Concurrency(demand) if sharing is None else sharing.concurrency
        is_remote = spec.preset is not None
        if sharing is not None:
            concurrency.join(demand)
        elif is_remote and self._share is not None:
            concurrency.join(self._share)
        return _Entry(inner=inner, concurrency=concurrency, demand=demand, is_remote=is_remote)

    def discard(self, key: Hashable, entry: _Entry) -> None:
        """Have ``get`` build the captioner again the next time."""
        if self._entries.get(key) is entry:
            del self._entries[key]


class _Lease(Wrapper):
    """One user's hold on a captioner of the pool."""

    def __init__(self, pool: CaptionerPool, key: Hashable, entry: _Entry, inner: Captioner) -> None:
        super().__init__(inner)
        self.entry = entry
        self._pool = pool
        self._key = key
        self._is_closed = False

    def halt(self) -> None:
        """Halt the captioner, which cannot be undone, where nobody else uses it."""
        if self.entry.users == 1:
            self._pool.discard(self._key, self.entry)
            self.inner.halt()

    async def aclose(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        self.entry.users -= 1
        if not self.entry.users:
            self._pool.discard(self._key, self.entry)
            self.entry.concurrency.leave(self.entry.demand)
            await self.entry.inner.aclose()


def build_captioner(text: str, options: CaptionerOptions) -> Captioner:
    """A captioner that shares nothing with others; raises as ``CaptionerPool.get``."""
    return CaptionerPool().get(text, options)


def _key(spec: Spec, options: CaptionerOptions) -> Hashable:
    """Equal for captioners that are the same; holds no key in the clear."""
    secret = options.key
    if spec.preset is not None:
        made = None
        secret = secret or find_key(spec.preset)
    else:
        made = registry.load("captioners", spec.provider)  # a class that is defined again is another one
    return (
        (spec.provider, spec.name, made, options.endpoint),
        secret and hashlib.blake2b(secret.reveal().encode()).digest(),
        hashlib.blake2b(
            orjson.dumps(dict(options.options), default=repr, option=orjson.OPT_SORT_KEYS)
        ).digest(),
        (options.timeout, options.concurrency),
    )
