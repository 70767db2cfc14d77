"""The exceptions of cutline, as one tree::

CutlineError
├── ConfigError            the user's mistake; the message names the cure
│   ├── MissingExtra       a feature needs an extra that is not installed
│   ├── OutputExists       the output is not ours to touch
│   ├── OutputGone         what an earlier run wrote is not there any more
│   ├── OutputLocked       another run is writing there
│   └── JobChanged         model, prompt or parameters differ from the earlier run's
├── SampleError            one picture cannot be captioned; becomes a Failure of its kind
│   ├── OutputKept         the output keeps what is there; becomes a Skip with its kind as reason
│   ├── PictureError       it cannot be fetched or opened
│   └── ReplyError         the model's answer cannot be a caption
├── RequestError           one request to an endpoint failed
│   ├── Retryable          408, 429, 5xx, resets, timeouts, cut or malformed bodies
│   └── Rejected           400, 403, 413, 422 …: the same request would fail again
├── SourceError            the listing itself is damaged or gone
├── SinkError              the output cannot be written (disk full, read-only, …)
└── RunStopped             the run ends early, cleanly, and can be continued
    ├── EndpointUnusable   wrong key, no credit, unknown model, unreachable
    ├── ManyFailed         too many pictures in a row failed: the model must be the cause
    └── BudgetSpent        tokens or money are used up
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cutline.records import Reply


class CutlineError(Exception):
    """The root of the tree; its text is one line, fit to be shown to a user."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _without_init, (type(self), self.args), self.__dict__


def _without_init(kind: type[CutlineError], arguments: tuple[object, ...]) -> CutlineError:
    """An error as it was: ``__init__`` takes other arguments than those which are kept."""
    return kind.__new__(kind, *arguments)


class ConfigError(CutlineError):
    pass


DISTRIBUTION = "cutline"
INSTALL = "pip install '"


def install_line(extra: str) -> str:
    """The command that adds an extra to an installation, of a package or of a copy of the source.

    The command line prints it as it works in its environment.
    """
    return f"{INSTALL}{DISTRIBUTION}[{extra}]'"


class MissingExtra(ConfigError):
    """Raised where a heavy library is imported; names the line that installs it."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs an extra: {install_line(extra)}")


class OutputExists(ConfigError):
    pass


class OutputGone(ConfigError):
    pass


class OutputLocked(ConfigError):
    pass


class JobChanged(ConfigError):
    pass


class SampleError(CutlineError):
    """``kind`` is the failure's kind: a short, stable word that reports count by.

    ``reply`` is the answer that could not be used, where there was one: it was paid for. ``step`` and
    ``digest`` are those of its request, where the reply may be used by a later run.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.reply: Reply | None = None
        self.step = self.digest = ""


class OutputKept(SampleError):
    """Kind: ``edited by hand``."""


class PictureError(SampleError):
    """Why a picture cannot be read.

    Kinds: ``missing``, ``fetch``, ``blocked-address``, ``bad-url``, ``too-large``, ``unsupported``,
    ``decode``.
    """


class ReplyError(SampleError):
    """The model's answer holds no caption.

    Kinds: ``empty``, ``truncated``, ``refused``, ``tool-call``, ``regex-miss``, ``regex-timeout``,
    ``schema-miss``, ``loop`` (the same sentence over and over), ``role-markers``.
    """


class RequestError(CutlineError):
    """``kind`` as in SampleError; ``status`` is the HTTP status, if one came.

    ``attempts`` is set by the last retry, ``is_outage`` where the endpoint answers nobody at the time,
    ``may_be_outage`` where it fails so many that the failure may not be the picture's.
    """

    def __init__(self, kind: str, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.status = status
        self.attempts = 1
        self.is_outage = False
        self.may_be_outage = False

    @property
    def is_refusal(self) -> bool:
        """Whether the endpoint takes no more requests at the time (429, 503, Groq's 498)."""
        return self.status in {429, 498, 503}


class Retryable(RequestError):
    """``retry_after``: seconds to wait, from the response's Retry-After; None without one."""

    def __init__(
        self, kind: str, message: str, *, status: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(kind, message, status=status)
        self.retry_after = retry_after


class Rejected(RequestError):
    pass


class SourceError(CutlineError):
    pass


class SinkError(CutlineError):
    pass


class RunStopped(CutlineError):
    pass


class EndpointUnusable(RunStopped):
    """``kind`` and ``status`` are those of the request that showed it, where one did."""

    def __init__(self, message: str, *, kind: str = "", status: int | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.status = status


class ManyFailed(RunStopped):
    """The message names the option that retries them."""


class BudgetSpent(RunStopped):
    pass
