"""What an error is about where its status does not show it: the codes and words of services.

Each form was seen at the service beside it, or is in its documentation. Words decide what a message advises
and whether an error concerns every picture, never whether a request is repeated.
"""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet

WITHOUT_CREDIT = "the account has no credit left; add credit or raise its limit, then run the same command"
NO_CREDIT = frozenset(
    {
        *("insufficient_quota", "payment_required", "billing_hard_limit_reached"),  # OpenAI
        "exceeded_current_quota_error",  # Moonshot
        "Arrearage",  # DashScope, with status 400
        "1113",  # Zhipu, with status 429
        "billing_not_active",  # OpenAI, with status 429
        "budget_exceeded",  # LiteLLM, with status 400
        "blocked_api_access",  # Groq, with status 400: a limit of one's own
    }
)
_NO_BALANCE = re.compile(
    r"""credit\ balance\ is\ too\ low  # Anthropic, with 400
    |reached\ your\ (specified\ )?(API\ )?usage\ limits?  # Anthropic, with 400
    |\bspend(ing)?\ (limit|cap)\b  # Fireworks with 412, Groq, xAI
    |\bbudget\b.{0,40}\bexceeded|\bexceeded\b.{0,40}\bbudget\b  # LiteLLM, Portkey
    |\b(insufficient|not\ enough)\ (account\ )?(balance|funds|credits?)|\bout\ of\ credits?\b""",
    re.IGNORECASE | re.VERBOSE,
)
_OF_MONEY = frozenset({400, 403, 412, 422, 429})
_TOO_LARGE = re.compile(r"\brequest too large\b", re.IGNORECASE)  # OpenAI, with 429

_VAGUE = frozenset({400, 403, 404, 422})
_MEANT = {
    "API_KEY_INVALID": 401,  # Gemini
    "invalid_api_key": 401,  # OpenAI, DashScope
    "authentication_error": 401,  # Anthropic, LiteLLM
    "FAILED_PRECONDITION": 403,  # Gemini, where a country or account is not served
    "model_not_found": 404,  # OpenAI, Hugging Face
    "model_not_supported": 404,  # Hugging Face: no provider that is switched on has it
    "model_not_available": 404,  # Together
    "invalid_model": 404,  # Mistral
    "DeploymentNotFound": 404,  # Azure
    "1211": 404,  # Zhipu
    "20012": 404,  # SiliconFlow
    "model_decommissioned": 410,  # Groq
}
_ABOUT_PARAMETER = re.compile(
    r"unsupported|not support|unknown|unrecogni[sz]ed|unexpected|not (permitted|allowed|available)"
    r"|extra (input|field)|deprecated|invalid|must be|should be",
    re.IGNORECASE,
)
_KEY = re.compile(
    r"""\bapi[ _-]?key\b.{0,20}\b(not\ valid|invalid|incorrect|expired|not\ found|required|missing|revoked)
    |\b(invalid|incorrect|wrong|expired|missing|no)\ (or\ missing\ )?api[ _-]?key\b  # xAI
    |\b(invalid|expired)\ (access|authentication|auth|bearer)\ (token|credentials)\b""",
    re.IGNORECASE | re.VERBOSE,
)
_NAME = r"""[`'"(]?[\w./:@-]*[`'")]?"""
_MODEL = re.compile(
    rf"""\bmodel:?\ ?{_NAME}\ ?(does\ not|not|doesn't)\ exist  # DeepSeek, SiliconFlow
    |\bmodel:?\ ?{_NAME}\ (is\ |was\ )?not\ found
    |\b(invalid|unknown|no\ such)\ model\b  # Mistral
    |\bnot\ a\ valid\ model  # OpenRouter""",
    re.IGNORECASE | re.VERBOSE,
)
_NO_SIGHT = re.compile(
    r"""\bimage_url\ is\ only\ supported  # OpenAI
    |\bno\ endpoints\ found\ that\ support\ image  # OpenRouter
    |\bnot\ an?\ (multi-?modal|vision)\ model  # vLLM
    |\bat\ most\ 0\ image  # vLLM
    |\bunknown\ variant\ `?image_url  # DeepSeek
    |\bcontent['"\]]*\ (:\ value\ )?must\ be\ a\ string  # Groq
    |\bmissing\ data\ required\ for\ image  # Ollama
    |\bimage\ inputs?\ (is|are)\ not\ (supported|enabled)  # llama.cpp, Mistral
    |\b(does\ not|doesn't|do\ not|don't)\ (currently\ )?(support|accept|take)
     # Ollama, LM Studio
     \ (image|vision|multi-?modal)s?(\ (inputs?|contents?|modality|data))?(?!\ ?[\w/-])""",
    re.IGNORECASE | re.VERBOSE,
)
_NO_SYSTEM = re.compile(
    r"""\bsystem\ (role|message|prompt|instruction)s?\ ((is|are)\ )?not\ (supported|enabled|allowed)  # vLLM
    |\bdeveloper\ instruction\ is\ not\ enabled  # Gemini""",
    re.IGNORECASE | re.VERBOSE,
)

_FILTER_CODES = frozenset(
    {
        *("content_filter", "ResponsibleAIPolicyViolation"),  # Azure; the first Moonshot too
        *("content_policy_violation", "moderation_blocked"),  # OpenAI
        *("data_inspection_failed", "DataInspectionFailed"),  # DashScope
        *("InputImageSensitiveContentDetected", "SensitiveContentDetected"),  # Volcengine
        "1301",  # Zhipu
    }
)
_FILTERED = re.compile(
    r"content (management )?polic(y|ies)|content[_ ]filter"
    r"|(input|image|content) was flagged"  # OpenRouter, with 403
    r"|(inappropriate|sensitive|unsafe) content",
    re.IGNORECASE,
)


def is_filtered(status: int, codes: AbstractSet[str], message: str) -> bool:
    """Whether a filter of the service declined the picture or the prompt."""
    is_about_it = bool(codes & _FILTER_CODES) or _FILTERED.search(message) is not None
    return status in {400, 403, 422, 451} and is_about_it


def is_without_credit(status: int, codes: AbstractSet[str], message: str) -> bool:
    """Whether the account has nothing left, or may spend no more."""
    if status == 402 or codes & NO_CREDIT:
        return True
    return status in _OF_MONEY and _NO_BALANCE.search(message) is not None


def is_too_large(status: int, message: str) -> bool:
    """Whether one request is more than a minute's limit, so that it is refused whenever it is sent."""
    return status == 429 and _TOO_LARGE.search(message) is not None


def meant_status(status: int, codes: AbstractSet[str], message: str) -> int:
    """The status that an error stands for: some services send 400 for everything."""
    if status not in _VAGUE:
        return status
    known = next((_MEANT[code] for code in sorted(codes) if code in _MEANT), None)
    if known is not None or status not in {400, 422}:
        return known or status
    return 401 if _KEY.search(message) else 404 if _MODEL.search(message) else status


def takes_no_pictures(status: int, message: str) -> bool:
    """Whether the model takes text only; llama.cpp sends 500 for it."""
    return status in {400, 404, 422, 500} and _NO_SIGHT.search(message) is not None


def takes_no_system_message(status: int, message: str) -> bool:
    return status in {400, 422, 500} and _NO_SYSTEM.search(message) is not None


def is_about_parameter(message: str) -> bool:
    """Whether an error may be about a parameter that it names."""
    return _ABOUT_PARAMETER.search(message) is not None
