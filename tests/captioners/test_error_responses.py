"""Whatever an endpoint sends becomes one of our errors, in one line and without the key."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from cutline.captioners.hosted.chat_replies import error_within
from cutline.captioners.hosted.endpoint import Answer
from cutline.captioners.hosted.error_responses import RequestInfo, response_error
from cutline.captioners.hosted.presets import PRESETS
from cutline.credentials import Secret, Secrets
from cutline.errors import CutlineError, EndpointUnusable, Rejected, Retryable

KEY = "sk-0123456789abcdef"
KEYS = Secrets(Secret(KEY))
ASKED = RequestInfo(preset=PRESETS["openai"], model="m", shown="http://h/v1", has_key=True, secrets=KEYS)
NAMES = [
    "error",
    "errors",
    "message",
    "detail",
    "details",
    "title",
    "code",
    "type",
    "status",
    "reason",
    "loc",
]
NAMES += ["msg", "metadata", "headers", "retryDelay", "X-RateLimit-Reset"]
WORDS = st.text(max_size=12) | st.sampled_from([KEY, "API_KEY_INVALID", "model_not_found", "34s", "1e999s"])
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | WORDS
BODIES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)


@given(
    status=st.sampled_from([200, 202, 301, 400, 401, 402, 403, 404, 410, 413, 422, 429, 500, 503, 599]),
    body=BODIES.map(lambda body: json.dumps(body).encode()) | st.binary(max_size=40),
    headers=st.dictionaries(
        st.sampled_from(["Retry-After", "retry-after-ms", "x-ratelimit-reset-requests", "RateLimit"]), WORDS
    ),
)
def test_any_body(status: int, body: bytes, headers: dict[str, str]) -> None:
    error = response_error(Answer(status, CIMultiDict(headers), body), ASKED)
    assert isinstance(error, CutlineError)
    assert "\n" not in str(error)
    assert KEY not in str(error)
    if isinstance(error, Retryable) and error.retry_after is not None:
        assert error.retry_after >= 0


@given(BODIES)
def test_any_answer_of_success(payload: object) -> None:
    error_within(Answer(200, CIMultiDict(), b""), payload)


def test_an_error_within_a_choice_is_that_of_its_code() -> None:
    error = {"code": 429, "message": "Provider returned error: too many requests"}
    payload = {"choices": [{"finish_reason": "error", "error": error, "message": {"content": "A re"}}]}
    within = error_within(Answer(200, CIMultiDict(), b""), payload)
    assert within is not None
    refused = response_error(within, ASKED)
    assert isinstance(refused, Retryable)
    assert refused.is_refusal
    assert "too many requests" in str(refused)


def said(
    status: int, body: object, *, headers: dict[str, str] | None = None, service: str = "openai"
) -> Exception:
    asked = RequestInfo(preset=PRESETS[service], model="m", shown="http://h/v1", has_key=True, secrets=KEYS)
    return response_error(Answer(status, CIMultiDict(headers or {}), json.dumps(body).encode()), asked)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            {"detail": [{"loc": ["body", "top_k"], "msg": "Extra inputs are not permitted"}]},
            "top_k: Extra inputs",
        ),
        ({"detail": [{"loc": 5, "msg": "odd"}, {"msg": "even"}]}, "odd; even"),
        (
            [{"error": {"code": 400, "message": "Gemini says no.", "status": "INVALID_ARGUMENT"}}],
            "Gemini says no",
        ),
        ({"error": "a word"}, "a word"),
        ({"title": "Bad Request", "detail": "too odd"}, "too odd"),
        ({"object": "error", "message": "vLLM says no"}, "vLLM says no"),
    ],
)
def test_what_it_says_is_found(body: object, words: str) -> None:
    assert words in str(said(400, body))


def test_a_busy_service_is_asked_again_whatever_it_says_of_the_model() -> None:
    body = {"error": {"message": "overloaded", "code": "model_not_available"}}
    assert isinstance(said(503, body, service="together"), Retryable)
    assert isinstance(said(429, body, service="together"), Retryable)
    refused = said(400, body, service="together")
    assert isinstance(refused, Rejected)
    assert refused.status == 404


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, {"message": "The response was filtered", "code": "content_filter"}),
        (400, {"message": "Your request was rejected by the safety system", "code": "moderation_blocked"}),
        (400, {"message": "Input data may contain inappropriate content.", "code": "DataInspectionFailed"}),
        (403, {"message": "m requires moderation. Your input was flagged", "code": 403}),
        (400, {"message": "系统检测到输入可能包含不安全内容", "code": "1301"}),
    ],
    ids=["Azure", "OpenAI", "DashScope", "OpenRouter", "Zhipu"],
)
def test_what_a_filter_declines_is_a_refusal_of_that_picture(status: int, error: object) -> None:
    declined = said(status, {"error": error}, service="nvidia" if status == 403 else "openai")
    assert isinstance(declined, Rejected)
    assert declined.kind == "refused"
    assert declined.status == 400, "403 would be the key's"


@pytest.mark.parametrize("service", ["openai", "nvidia"])
def test_what_403_concerns(service: str) -> None:
    """One picture at most services; the key at NVIDIA."""
    cls = EndpointUnusable if service == "nvidia" else Rejected
    assert isinstance(said(403, {"detail": "no"}, service=service), cls)


def test_a_web_page_is_not_quoted() -> None:
    page = b"\n<!DOCTYPE html><html><head><title>502</title></head><body>nginx</body></html>"
    error = response_error(Answer(502, CIMultiDict(), page), ASKED)
    assert str(error) == "http://h/v1 answered 502: an HTML page and no JSON"


@pytest.mark.parametrize(
    ("preset", "shown", "message", "end"),
    [
        (
            "openai",
            "http://127.0.0.1:9/v1",
            "bad key",
            ": bad key; the key is not accepted: set OPENAI_API_KEY",
        ),
        ("openai", "http://127.0.0.1:9/v1", "the key is not accepted", "accepted; set OPENAI_API_KEY"),
        ("openai", "https://api.openai.com/v1", "bad key", "(keys: https://platform.openai.com)"),
        (
            "openrouter",
            "http://localhost:9/v1",
            "bad key",
            "or pass --api-key (--model-key of cutline serve)",
        ),
    ],
)
def test_a_refused_key_is_named_once_with_the_accounts_of_that_service(preset, shown, message, end):
    request = RequestInfo(preset=PRESETS[preset], model="m", shown=shown, has_key=True, secrets=KEYS)
    text = str(response_error(Answer(401, CIMultiDict(), json.dumps({"error": message}).encode()), request))
    assert text.count("the key is not accepted") == 1
    assert end in text
    assert ("keys: " in text) == shown.startswith("https://")
