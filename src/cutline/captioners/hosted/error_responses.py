"""Classify error responses: whether a retry may help, and what the user can do.

`rate_limits` parses how long to wait; a model that refuses in its reply is a matter of `chat` and of
`cutline.prompts.replies`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import urllib.parse
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from cutline.captioners.hosted.endpoint import Answer
from cutline.captioners.hosted.error_forms import (
    WITHOUT_CREDIT,
    is_about_parameter,
    is_filtered,
    is_too_large,
    is_without_credit,
    meant_status,
    takes_no_pictures,
    takes_no_system_message,
)
from cutline.captioners.hosted.preset import Preset
from cutline.captioners.hosted.quotas import has_no_quota, long_period, used_up, wait_within
from cutline.captioners.hosted.rate_limits import requested_wait, span
from cutline.credentials import Secrets, without_credentials
from cutline.errors import EndpointUnusable, Rejected, Retryable
from cutline.imaging.shapes import refuses_shape

_RETRIED = frozenset({408, 409, 424, 425, 429, 498})  # 424: TGI, Azure ML; 498: Groq has no place free
_FINAL = frozenset({501, 505, 511})  # of those from 500 up
_OPTIONS = {
    "max_tokens": "--max-tokens 0",
    "max_completion_tokens": "--max-tokens 0",
    "temperature": "remove --temperature",
    "top_p": "remove --top-p",
    "seed": "remove --seed",
    **dict.fromkeys(("response_format", "guided_json", "structured_outputs"), "--schema-dialect none"),
}
_PLACE = re.compile(
    r"(?<=/v1)/v1$|/+(?:chat|completions|chat/completions|models|api/chat|api/generate|api|V1)?$"
)
SEE = " See `cutline models check`"
_VERSION = re.compile(r"/v\d+\w*(?:/|$)|/openai$")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RequestInfo:
    """The request that an error response belongs to, as error messages name it."""

    preset: Preset
    model: str
    shown: str
    has_key: bool
    secrets: Secrets
    parameters: frozenset[str] = frozenset()
    """Names of the parameters that are sent."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _ErrorBody:
    """A parsed error body: machine-readable codes, a message of one line, seconds to wait."""

    codes: frozenset[str]
    message: str
    wait: float | None = None
    parameter: str = ""
    quotas: tuple[str, ...] = ()
    """Ids of the quotas that are exceeded, as Gemini sends them."""


def response_error(answer: Answer, request: RequestInfo) -> Exception:
    """The exception for a response whose status is not 200, or whose body holds an error."""
    body = _read(answer.content, request.secrets)
    status = meant_status(answer.status, body.codes, body.message)
    text = f"{request.shown} answered {answer.status}{': ' + body.message if body.message else ''}"
    period = long_period(body.message, body.quotas, answer.headers) if status == 429 else None
    if not period and is_without_credit(status, body.codes, body.message):
        return EndpointUnusable(f"{text}: {WITHOUT_CREDIT}")
    if status in _RETRIED or (status >= 500 and status not in _FINAL):
        return _refused_now(status, text, body, answer, period)
    if 300 <= status < 400:
        return EndpointUnusable(text + _redirect(answer, request), kind="redirect", status=status)
    if is_filtered(status, body.codes, body.message):  # of one picture, whatever the status
        return Rejected("refused", text, status=400)
    if status == 403 and request.preset.forbids_all:
        return EndpointUnusable(
            f"{text}: the key has no credit left, has expired, or is not for this model; "
            f"see {request.preset.account}, or set another {request.preset.key_env[0]}"
        )
    return _rejected(status, text, body, request)


def _refused_now(status: int, text: str, body: _ErrorBody, answer: Answer, period: str | None) -> Exception:
    """What the same request may not meet again; ``period``: of a quota that is used up."""
    if concern := _concern(status, text, body):
        return Retryable(concern.kind, str(concern), status=status)
    if is_too_large(status, body.message):
        return Rejected("rejected", f"{text}; lower --max-side or --max-tokens", status=413)
    if status == 429 and has_no_quota(body.message):
        cure = "the account has no quota for this model; choose another, or another account"
        return EndpointUnusable(f"{text}: {cure}", kind="rate-limit", status=status)
    kind = "rate-limit" if status == 429 else "endpoint"
    wait = requested_wait(answer.headers, limited=status == 429)
    wait = wait if wait is not None else body.wait
    if period:
        return EndpointUnusable(f"{text}: {used_up(period, body.quotas, wait)}", kind=kind, status=status)
    return Retryable(kind, text, status=status, retry_after=wait)


def _redirect(answer: Answer, request: RequestInfo) -> str:
    """What to do about a redirect: requests with pictures and keys are not carried elsewhere."""
    location = answer.headers.get("Location", "")
    if not location:
        return "; it redirects, and does not say where: pass the API's own address with --endpoint"
    target = urllib.parse.urljoin(request.shown + "/chat/completions", location)
    shown = without_credentials(target)[:200]
    if shown.rstrip("/").endswith("/chat/completions"):
        return f"; it redirects to {shown}: pass that address with --endpoint"
    return f"; it redirects to {shown}, a page and no API: pass the API's own address with --endpoint"


def _rejected(status: int, text: str, body: _ErrorBody, request: RequestInfo) -> Rejected:
    """What the same request would meet again."""
    if concern := _concern(status, text, body):
        return concern
    if status in {400, 422} and refuses_shape(body.message):
        return Rejected("shape", f"{text}; crop the picture, or make its short side longer", status=status)
    if status in {400, 422} and (parameter := _refused_parameter(body, request)):
        return Rejected("parameter", f"{text}; {_without(parameter)}", status=status)
    return Rejected("rejected", text + _cure(status, request, body.message), status=status)


def _concern(status: int, text: str, body: _ErrorBody) -> Rejected | None:
    """The error that every picture meets, whatever its status; None for others."""
    if takes_no_pictures(status, body.message):
        cure = "this model takes no pictures: choose one that does (llama.cpp needs the model's --mmproj)"
        return Rejected("text-only", f"{text}; {cure}", status=status)
    if takes_no_system_message(status, body.message):
        return Rejected("parameter", f"{text}; without a system message: --system-prompt ''", status=status)
    return None


def _refused_parameter(body: _ErrorBody, request: RequestInfo) -> str | None:
    """The parameter of ours that an error is about, if it is about one."""
    if body.parameter in request.parameters:
        return body.parameter
    if not is_about_parameter(body.message):
        return None
    words = set(re.findall(r"\w+", body.message))
    return next((name for name in sorted(request.parameters) if name in words), None)


def _without(parameter: str) -> str:
    option = _OPTIONS.get(parameter, f"remove --extra.{parameter}")
    return f"without the parameter: {option}"


def _cure(status: int, request: RequestInfo, message: str) -> str:
    """What to do about a status, after the endpoint's ``message``."""
    model, preset = request.model, request.preset
    names = " or ".join(preset.key_env) or "an API key"
    state = "the key is not accepted" if request.has_key else "no key was sent"
    refused = "; " if state in message else f"; {state}: "
    where = _address(request) or SEE
    is_own = bool(preset.endpoint) and _host(request.shown) == _host(
        preset.endpoint
    )  # no other server's keys
    account = f" (keys: {preset.account})" if preset.account and (is_own or not preset.endpoint) else ""
    more = f" {preset.without_model.format(model=model)}".rstrip()
    return {
        401: f"{refused}set {names}, or pass --api-key (--model-key of cutline serve){account}",
        403: "; the key may not use this model, or has no credit left",
        404: f"; is the model's name {model!r} right, and the URL (most end in /v1)?{where}{more}",
        405: f"; the URL is not that of an OpenAI-compatible API: most end in /v1.{_address(request)}",
        407: "; the proxy requires a name and a password: write them into its URL in the environment",
        501: f"; the URL is not that of an OpenAI-compatible API: most end in /v1.{_address(request)}",
        511: "; this network requires a sign-in: open a page in a browser first",
        410: f"; the service has {model!r} no longer: choose another model",
        413: "; lower --max-side or set --max-bytes",
    }.get(status, "")


def _host(url: str) -> str:
    return urllib.parse.urlsplit(url).hostname or ""


def _address(request: RequestInfo) -> str:
    """The address that the endpoint's URL probably stands for, where it has no version or too much."""
    scheme, mark, rest = request.shown.partition("://")
    place, _, path = rest.partition("/")
    given = "/" + path.rstrip("/")
    base = _PLACE.sub("", given)
    if base == given and _VERSION.search(base):
        return ""
    return f" Try --endpoint {scheme}{mark}{place}{base if _VERSION.search(base) else base + '/v1'}"


def _read(content: bytes, secrets: Secrets) -> _ErrorBody:
    """Parse an error body; a key that it echoes is redacted."""
    text = content.decode("utf-8", "replace")
    if text.lstrip()[:1] == "<":  # an HTML page, of a proxy or another kind of server
        text = "an HTML page and no JSON"
    codes: set[str] = set()
    wait, parameter = None, ""
    quotas: list[str] = []
    with contextlib.suppress(orjson.JSONDecodeError):
        data = orjson.loads(content)
        if isinstance(data, list) and data:  # Gemini
            data = data[0]
        error = data.get("error", data) if isinstance(data, dict) else data
        if isinstance(error, dict) and (several := _objects(error.get("errors"))):  # Cloudflare
            error = next(iter(several))
        if isinstance(error, dict):
            text = _message(error) or _message(data) or text
            parameter = str(error.get("param") or "")
            codes = {str(error[name]) for name in ("code", "type", "status") if error.get(name)}
            for detail in _objects(error.get("details")):
                codes.add(str(detail.get("reason", "")))
                wait = wait or span(str(detail.get("retryDelay", "")))
                quotas += [str(one.get("quotaId", "")) for one in _objects(detail.get("violations"))]
            for metadata in _objects([error.get("metadata")]):  # OpenRouter
                for headers in _objects([metadata.get("headers")]):
                    wait = wait or requested_wait({str(k): str(v) for k, v in headers.items()}, limited=True)
        elif isinstance(error, str):
            text = error
        elif isinstance(error, list):
            text = _listed(error) or text
    message = " ".join(secrets.redact(text).split())[:300].rstrip(".")
    wait = wait or wait_within(text)
    return _ErrorBody(
        codes=frozenset(codes), message=message, wait=wait, parameter=parameter, quotas=tuple(quotas)
    )


def _message(error: Mapping[str, Any]) -> str:
    for name in ("message", "Message", "detail", "title", "msg", "error", "errors"):
        value = error.get(name)
        if isinstance(value, str) and value:
            return _inner(value)
        if isinstance(value, dict) and (words := _message(value)):
            return words
        if isinstance(value, list) and (words := _listed(value)):
            return words
    return ""


def _listed(errors: list[Any]) -> str:
    """The words of several errors."""
    words = (
        error if isinstance(error, str) else _fault(error) or _message(error)
        for error in errors
        if isinstance(error, str | dict)
    )
    return "; ".join(filter(None, words))


def _inner(text: str) -> str:
    """The words of an error that a gateway passes on as JSON within its own."""
    if text.lstrip()[:1] == "{":
        with contextlib.suppress(orjson.JSONDecodeError):
            return _message(orjson.loads(text)) or text
    return text


def _fault(detail: Mapping[str, Any]) -> str:
    """One entry of a validation error, as FastAPI sends it."""
    loc, message = detail.get("loc"), str(detail.get("msg") or "")
    place = ".".join(str(part) for part in loc if part != "body") if isinstance(loc, list) else ""
    return f"{place}: {message}" if place and message else message


def _objects(value: Any) -> Iterable[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
