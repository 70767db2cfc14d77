"""A quota of the day or month ends a run at once, with its return where that is known; a minute's is waited for."""

from __future__ import annotations

import json
import re
import time

import pytest
from multidict import CIMultiDict

from cutline.captioners.hosted.endpoint import Answer
from cutline.captioners.hosted.error_responses import RequestInfo, response_error
from cutline.captioners.hosted.presets import PRESETS
from cutline.captioners.hosted.quotas import wait_within
from cutline.credentials import Secrets
from cutline.errors import EndpointUnusable, Rejected, Retryable

REQUEST = RequestInfo(
    preset=PRESETS["endpoint"], model="m", shown="http://h/v1", has_key=False, secrets=Secrets()
)
RETURN = re.compile(r"it admits requests again at \d{4}-\d\d-\d\d \d\d:\d\d: run the same command then$")
GEMINI = "You exceeded your current quota, please check your plan and billing details."
OPENAI = "Rate limit reached for gpt-4o in organization org-1 on "
GROQ = "Rate limit reached for model `llama-4` in organization `org_1` service tier `on_demand` on "
ANTHROPIC = "Number of request tokens has exceeded your "
OPENROUTER = "Rate limit exceeded: free-models-per-"
MORE = " Add 10 credits to unlock 1000 free model requests per day"


def gemini(*quotas):
    violations = [{"quotaMetric": "g.googleapis.com/requests", "quotaId": quota} for quota in quotas]
    details = [
        {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": violations},
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "38s"},
    ]
    return [{"error": {"code": 429, "message": GEMINI, "status": "RESOURCE_EXHAUSTED", "details": details}}]


def openai(message, code="rate_limit_exceeded"):
    return {"error": {"message": message, "type": "requests", "param": None, "code": code}}


def openrouter(period, **headers):
    return {
        "error": {"message": OPENROUTER + period + "." + MORE, "code": 429, "metadata": {"headers": headers}}
    }


def error_for(body, headers=None, status=429):
    return response_error(Answer(status, CIMultiDict(headers or {}), json.dumps(body).encode()), REQUEST)


RESET = str(int((time.time() + 7 * 86400) * 1000))  # an hour of tests may have passed
KNOWN = {
    "OpenAI": (openai(OPENAI + "requests per day (RPD): Limit 200. Please try again in 7m12s."), {}),
    "OpenAI's headers": (
        openai(OPENAI + "requests per day (RPD): Limit 200, Used 200."),
        {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "7m12s"},
    ),
    "Gemini": (gemini("GenerateRequestsPerDayPerProjectPerModel-FreeTier"), {}),
    "Gemini, two quotas": (gemini("GenerateContentInputTokensPerMinute", "RequestsPerDayPerProject"), {}),
    "Groq": (openai(GROQ + "tokens per day (TPD): Limit 100000."), {"retry-after": "568"}),
    "Anthropic": (
        {"type": "error", "error": {"type": "rate_limit_error", "message": ANTHROPIC + "daily rate limit"}},
        {"retry-after": "500"},
    ),
    "OpenRouter": (openrouter("day", **{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": RESET}), {}),
    "GitHub": (
        openai("Rate limit of 50 per 86400s exceeded for UserByModelByDay. Please wait 250 seconds."),
        {},
    ),
    "headers of the day": (
        openai("Too many requests"),
        {"x-ratelimit-remaining-requests-day": "0", "x-ratelimit-reset-requests-day": "330.5"},
    ),
}
UNKNOWN = {
    "OpenRouter": openrouter("day"),
    "Anthropic": {
        "type": "error",
        "error": {"type": "rate_limit_error", "message": ANTHROPIC + "daily limit"},
    },
    "monthly": openai("Your team has reached its monthly spending limit."),
    "weekly": openai("You have reached your weekly usage limit."),
    "Zhipu": {"error": {"code": "1304", "message": "该API已达到当日调用次数限额"}},
    "Cohere": {"message": "You are using a Trial key, which is limited to 1000 API calls / month."},
}


@pytest.mark.parametrize("name", KNOWN)
def test_a_quota_with_its_return(name):
    error = error_for(*KNOWN[name])
    assert isinstance(error, EndpointUnusable)
    assert RETURN.search(str(error)), error


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_quota_whose_return_is_not_known(name):
    error = error_for(UNKNOWN[name])
    assert isinstance(error, EndpointUnusable)
    assert str(error).endswith("is used up; run the same command when it returns")


MINUTE = {
    "OpenAI": (openai(OPENAI + "tokens per min (TPM): Limit 30000. Please try again in 1.2s."), {}, 1.2),
    "Gemini": (gemini("GenerateRequestsPerMinutePerProjectPerModel-FreeTier"), {}, 38),
    "Groq": (openai(GROQ + "tokens per minute (TPM): Limit 6000. Upgrade today"), {"retry-after": "5"}, 5),
    "Anthropic": (openai("This would exceed 50,000 input tokens per minute"), {"retry-after": "12"}, 12),
    "OpenRouter": (openrouter("min"), {}, None),
    "Mistral": ({"object": "error", "message": "Requests rate limit exceeded"}, {}, None),
    "a day's limit beside": (
        openai("Tokens per minute limit exceeded"),
        {
            "x-ratelimit-remaining-requests-day": "900",
            "x-ratelimit-reset-requests-day": "33011.4",
            "x-ratelimit-remaining-tokens-minute": "120",
            "x-ratelimit-reset-tokens-minute": "20.5",
        },
        20.5,
    ),
}


@pytest.mark.parametrize("name", MINUTE)
def test_a_limit_of_the_minute_is_waited_for(name):
    body, headers, wait = MINUTE[name]
    error = error_for(body, headers)
    assert isinstance(error, Retryable)
    assert error.retry_after == wait


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, openai(GEMINI, "insufficient_quota")),
        (400, openai("Your credit balance is too low to access the Anthropic API.", "invalid_request_error")),
        (402, openai("Insufficient Balance")),
        (429, {"error": {"message": "Your account is suspended", "type": "exceeded_current_quota_error"}}),
        (400, {"error": {"message": "Budget has been exceeded!", "type": "budget_exceeded", "code": "400"}}),
        (400, openai("You have reached your specified API usage limits.", "invalid_request_error")),
        (400, openai("API access is blocked until your limits are raised.", "blocked_api_access")),
        (412, openai("Account x is suspended, possibly due to reaching the monthly spending limit", None)),
        (429, openai("Your account is not active, please check your billing", "billing_not_active")),
        (403, openai("Insufficient credits. Add more in the settings.", None)),
    ],
    ids=[
        *("OpenAI", "Anthropic", "DeepSeek", "Moonshot", "LiteLLM", "Anthropic's limit", "Groq", "Fireworks"),
        *("OpenAI's account", "a gateway"),
    ],
)
def test_spent_credit_is_not_waited_for(status, body):
    assert "add credit" in str(error_for(body, status=status))


def test_a_model_without_any_quota_is_not_waited_for():
    body = gemini("GenerateRequestsPerMinutePerProjectPerModel-FreeTier")
    body[0]["error"]["message"] += " * Quota exceeded for metric: free_tier_requests, limit: 0, model: m"
    error = error_for(body)
    assert isinstance(error, EndpointUnusable)
    assert "no quota for this model; choose another" in str(error)


def test_a_request_above_the_limit_of_a_minute_is_not_sent_again():
    error = error_for(
        openai("Request too large for m on tokens per min (TPM): Limit 30000, Requested 45120.")
    )
    assert isinstance(error, Rejected)
    assert "lower --max-side or --max-tokens" in str(error)
    assert not error.is_refusal, "it says nothing of the rate"


@pytest.mark.parametrize("status", [424, 498])
def test_a_service_without_a_free_place_is_asked_again(status):
    assert isinstance(error_for(openai("Flex tier capacity exceeded"), status=status), Retryable)


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("Please try again in 7m12s. Visit", 432),
        ("Please retry in 38.2s.", 38.2),
        ("Please wait 25012 seconds before retrying.", 25012),
        ("try again in 20 hours", 72000),
        ("try again in 120ms", 0.12),
        ("try again later", None),
        ("you may retry 5 times", None),
    ],
)
def test_waits_in_words(message, seconds):
    assert wait_within(message) == (None if seconds is None else pytest.approx(seconds))
