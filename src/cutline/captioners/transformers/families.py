"""The families of local models by short name. Sizes are approximate; a download reports the exact one."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from cutline.captioners.transformers.family import Family, Weights
from cutline.captioners.transformers.settings import (
    DEFAULT_MAX_SIDE,
    DEFAULT_TIMEOUT,
    Generation,
    ParallelEngine,
    Placement,
)

if TYPE_CHECKING:
    from cutline.captioners.transformers.captioner import TransformersCaptioner


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LocalModel(Family):
    """A family in the registry: called with the name of a model, it builds its captioner."""

    def __call__(
        self,
        name: str = "",
        /,
        *,
        max_tokens: int | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        seed: int | None = None,
        extra: Mapping[str, Any] | None = None,
        max_side: int = DEFAULT_MAX_SIDE,
        device: str = "auto",
        dtype: str = "auto",
        batch_size: int | Literal["auto"] = "auto",
        quantize: Literal["4bit", "8bit"] | None = None,
        tensor_parallel: int = 1,
        parallel_engine: ParallelEngine = "transformers",
        timeout: float = DEFAULT_TIMEOUT,
    ) -> TransformersCaptioner:
        """The captioner for one of ``sizes``, a folder, or a repository of this family.

        Raises:
            ConfigError: the name is none of these, or an option is invalid.
            MissingExtra: the extra ``local`` is not installed.
        """
        from cutline.captioners.transformers.captioner import TransformersCaptioner

        generation = Generation(
            max_tokens=max_tokens or 0,
            temperature=temperature or 0.0,
            top_p=1.0 if top_p is None else top_p,
            seed=seed or 0,
            extra=dict(extra or {}),
        )
        generation.check()
        placement = Placement(
            device=device,
            dtype=dtype,
            batch_size=batch_size,
            quantize=quantize,
            tensor_parallel=tensor_parallel,
            parallel_engine=parallel_engine,
        )
        label = f"{self.name}:{name}" if name else self.name
        return TransformersCaptioner(
            self,
            self.repository(name),
            label=label,
            generation=generation,
            placement=placement,
            max_side=max_side,
            timeout=timeout,
        )


# Family, size, repository, gigabytes, licence; the default size of each family first.
_PUBLISHED: Final = (
    ("blip", "base", "Salesforce/blip-image-captioning-base", 0.99, "BSD-3-Clause"),
    ("blip", "large", "Salesforce/blip-image-captioning-large", 1.88, "BSD-3-Clause"),
    ("blip2-opt", "2.7b", "Salesforce/blip2-opt-2.7b", 15.0, "MIT"),
    ("blip2-opt", "6.7b", "Salesforce/blip2-opt-6.7b", 31.0, "MIT"),
    ("blip2-flan-t5", "xl", "Salesforce/blip2-flan-t5-xl", 15.8, "MIT"),
    ("blip2-flan-t5", "xxl", "Salesforce/blip2-flan-t5-xxl", 49.4, "MIT"),
    ("llava", "7b", "llava-hf/llava-1.5-7b-hf", 14.1, "Llama 2"),
    ("llava", "13b", "llava-hf/llava-1.5-13b-hf", 26.7, "Llama 2"),
    ("llava-onevision", "7b", "llava-hf/llava-onevision-qwen2-7b-ov-hf", 16.1, "Apache-2.0"),
    ("llava-onevision", "0.5b", "llava-hf/llava-onevision-qwen2-0.5b-ov-hf", 1.8, "Apache-2.0"),
    ("llava-onevision", "72b", "llava-hf/llava-onevision-qwen2-72b-ov-hf", 146.0, "Qwen"),
    ("qwen2-vl", "7b", "Qwen/Qwen2-VL-7B-Instruct", 16.6, "Apache-2.0"),
    ("qwen2-vl", "2b", "Qwen/Qwen2-VL-2B-Instruct", 4.4, "Apache-2.0"),
    ("qwen2-vl", "72b", "Qwen/Qwen2-VL-72B-Instruct", 146.8, "Qwen"),
    ("qwen2.5-vl", "7b", "Qwen/Qwen2.5-VL-7B-Instruct", 16.6, "Apache-2.0"),
    ("qwen2.5-vl", "3b", "Qwen/Qwen2.5-VL-3B-Instruct", 7.5, "Qwen Research"),
    ("qwen2.5-vl", "72b", "Qwen/Qwen2.5-VL-72B-Instruct", 146.8, "Qwen"),
    ("qwen3-vl", "8b", "Qwen/Qwen3-VL-8B-Instruct", 17.5, "Apache-2.0"),
    ("qwen3-vl", "2b", "Qwen/Qwen3-VL-2B-Instruct", 4.3, "Apache-2.0"),
    ("qwen3-vl", "4b", "Qwen/Qwen3-VL-4B-Instruct", 8.9, "Apache-2.0"),
    ("kosmos-2", "", "microsoft/kosmos-2-patch14-224", 6.7, "MIT"),
    ("gemma-3", "4b", "google/gemma-3-4b-it", 8.6, "Gemma, to be accepted"),
    ("gemma-3", "12b", "google/gemma-3-12b-it", 24.4, "Gemma, to be accepted"),
    ("gemma-3", "27b", "google/gemma-3-27b-it", 54.9, "Gemma, to be accepted"),
    ("florence-2", "base", "florence-community/Florence-2-base", 0.46, "MIT"),
    ("florence-2", "large", "florence-community/Florence-2-large", 1.55, "MIT"),
    ("smolvlm", "2.2b", "HuggingFaceTB/SmolVLM-Instruct", 4.5, "Apache-2.0"),
    ("smolvlm", "500m", "HuggingFaceTB/SmolVLM-500M-Instruct", 1.0, "Apache-2.0"),
    ("smolvlm", "256m", "HuggingFaceTB/SmolVLM-256M-Instruct", 0.5, "Apache-2.0"),
    ("paligemma", "3b", "google/paligemma-3b-mix-224", 11.7, "Gemma, to be accepted"),
    ("paligemma", "3b-448", "google/paligemma-3b-mix-448", 11.7, "Gemma, to be accepted"),
    ("git", "base", "microsoft/git-base-coco", 0.71, "MIT"),
    ("git", "large", "microsoft/git-large-coco", 1.58, "MIT"),
)
_SHORT: Final = {
    "prompt": "",
    "completes": True,
    "max_tokens": 64,
    "instructable": False,
    "returns_texts": True,
}
_INSTRUCTED: Final = "paragraphs; follows instructions"
_MULTILINGUAL: Final = "long, exact descriptions in many languages"


def _family(name: str, about: str, *types: str, **settings: Any) -> LocalModel:
    """A family with its published sizes; its model type is its name if none is given."""
    sizes = {
        size: Weights(repo=repo, gigabytes=gigabytes, licence=licence)
        for family, size, repo, gigabytes, licence in _PUBLISHED
        if family == name
    }
    types = types or (name.replace("-", "_").replace(".", "_"),)
    return LocalModel(name=name, about=about, sizes=sizes, types=types, **settings)


BLIP: Final = _family("blip", "one short sentence, fast; runs well without a GPU", **_SHORT)
BLIP2_OPT: Final = _family(
    "blip2-opt", "one sentence", "blip-2", prompt="", max_tokens=128, instructable=False
)
BLIP2_T5: Final = _family(
    "blip2-flan-t5", "one sentence; follows short requests", "blip-2 t5", prompt="", max_tokens=128
)
LLAVA: Final = _family("llava", _INSTRUCTED)
LLAVA_ONEVISION: Final = _family("llava-onevision", _INSTRUCTED)
QWEN2_VL: Final = _family("qwen2-vl", _MULTILINGUAL)
QWEN25_VL: Final = _family("qwen2.5-vl", _MULTILINGUAL)
QWEN3_VL: Final = _family("qwen3-vl", _MULTILINGUAL, "qwen3_vl", "qwen3_vl_moe")
KOSMOS2: Final = _family(
    "kosmos-2",
    "a sentence, with where its things are (in the raw reply)",
    "kosmos-2",
    prompt="<grounding>An image of",
    completes=True,
    max_tokens=128,
    instructable=False,
    marks=True,
)
GEMMA3: Final = _family("gemma-3", f"{_INSTRUCTED} in many languages", "gemma3")
FLORENCE2: Final = _family(
    "florence-2",
    "a sentence to a paragraph by the task, fast",
    "florence2",
    prompt="<DETAILED_CAPTION>",
    tasks=("<CAPTION>", "<DETAILED_CAPTION>", "<MORE_DETAILED_CAPTION>", "<OCR>"),
    max_tokens=256,
    instructable=False,
    marks=True,
)
SMOLVLM: Final = _family("smolvlm", "paragraphs; small", "smolvlm", "idefics3")
PALIGEMMA: Final = _family(
    "paligemma",
    "one sentence in the language of its prompt, such as `caption de`",
    prompt="caption en",
    max_tokens=128,
    instructable=False,
    image_token=True,
)
GIT: Final = _family("git", "one short sentence", ends_texts=True, **_SHORT)
FAMILIES: Final = (
    *(BLIP, BLIP2_OPT, BLIP2_T5, LLAVA, LLAVA_ONEVISION, QWEN2_VL, QWEN25_VL, QWEN3_VL),
    *(KOSMOS2, GEMMA3, FLORENCE2, SMOLVLM, PALIGEMMA, GIT),
)
ANY: Final = LocalModel(
    name="hf",
    sizes={},
    types=(),
    among=FAMILIES,
    about="any other image-text-to-text model: hf:OWNER/NAME or hf:FOLDER",
)
