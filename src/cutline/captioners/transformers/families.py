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


def _w(repo: str, gigabytes: float, licence: str) -> Weights:
    return Weights(repo=repo, gigabytes=gigabytes, licence=licence)


_QWEN_LICENCE: Final = "Qwen"
BLIP: Final = LocalModel(
    name="blip",
    sizes={
        "base": _w("Salesforce/blip-image-captioning-base", 0.99, "BSD-3-Clause"),
        "large": _w("Salesforce/blip-image-captioning-large", 1.88, "BSD-3-Clause"),
    },
    types=("blip",),
    prompt="",
    completes=True,
    max_tokens=64,
    instructable=False,
    returns_texts=True,
    about="one short sentence, fast; runs well without a GPU",
)
BLIP2_OPT: Final = LocalModel(
    name="blip2-opt",
    sizes={
        "2.7b": _w("Salesforce/blip2-opt-2.7b", 15.0, "MIT"),
        "6.7b": _w("Salesforce/blip2-opt-6.7b", 31.0, "MIT"),
    },
    types=("blip-2",),
    prompt="",
    max_tokens=128,
    instructable=False,
    about="one sentence",
)
BLIP2_T5: Final = LocalModel(
    name="blip2-flan-t5",
    sizes={
        "xl": _w("Salesforce/blip2-flan-t5-xl", 15.8, "MIT"),
        "xxl": _w("Salesforce/blip2-flan-t5-xxl", 49.4, "MIT"),
    },
    types=("blip-2 t5",),
    prompt="",
    max_tokens=128,
    about="one sentence; results short requests",
)
LLAVA: Final = LocalModel(
    name="llava",
    sizes={
        "7b": _w("llava-hf/llava-1.5-7b-hf", 14.1, "Llama 2"),
        "13b": _w("llava-hf/llava-1.5-13b-hf", 26.7, "Llama 2"),
    },
    types=("llava",),
    about="paragraphs; follows instructions",
)
LLAVA_ONEVISION: Final = LocalModel(
    name="llava-onevision",
    sizes={
        "7b": _w("llava-hf/llava-onevision-qwen2-7b-ov-hf", 16.1, "Apache-2.0"),
        "0.5b": _w("llava-hf/llava-onevision-qwen2-0.5b-ov-hf", 1.8, "Apache-2.0"),
        "72b": _w("llava-hf/llava-onevision-qwen2-72b-ov-hf", 146.0, _QWEN_LICENCE),
    },
    types=("llava_onevision",),
    about="paragraphs; follows instructions",
)
QWEN2_VL: Final = LocalModel(
    name="qwen2-vl",
    sizes={
        "7b": _w("Qwen/Qwen2-VL-7B-Instruct", 16.6, "Apache-2.0"),
        "2b": _w("Qwen/Qwen2-VL-2B-Instruct", 4.4, "Apache-2.0"),
        "72b": _w("Qwen/Qwen2-VL-72B-Instruct", 146.8, _QWEN_LICENCE),
    },
    types=("qwen2_vl",),
    about="long, exact descriptions in many languages",
)
QWEN25_VL: Final = LocalModel(
    name="qwen2.5-vl",
    sizes={
        "7b": _w("Qwen/Qwen2.5-VL-7B-Instruct", 16.6, "Apache-2.0"),
        "3b": _w("Qwen/Qwen2.5-VL-3B-Instruct", 7.5, "Qwen Research"),
        "72b": _w("Qwen/Qwen2.5-VL-72B-Instruct", 146.8, _QWEN_LICENCE),
    },
    types=("qwen2_5_vl",),
    about="long, exact descriptions in many languages",
)
QWEN3_VL: Final = LocalModel(
    name="qwen3-vl",
    sizes={
        "8b": _w("Qwen/Qwen3-VL-8B-Instruct", 17.5, "Apache-2.0"),
        "2b": _w("Qwen/Qwen3-VL-2B-Instruct", 4.3, "Apache-2.0"),
        "4b": _w("Qwen/Qwen3-VL-4B-Instruct", 8.9, "Apache-2.0"),
    },
    types=("qwen3_vl", "qwen3_vl_moe"),
    about="long, exact descriptions in many languages",
)
KOSMOS2: Final = LocalModel(
    name="kosmos-2",
    sizes={"": _w("microsoft/kosmos-2-patch14-224", 6.7, "MIT")},
    types=("kosmos-2",),
    prompt="<grounding>An image of",
    completes=True,
    max_tokens=128,
    instructable=False,
    marks=True,
    about="a sentence, with where its things are (in the raw reply)",
)
GEMMA3: Final = LocalModel(
    name="gemma-3",
    sizes={
        "4b": _w("google/gemma-3-4b-it", 8.6, "Gemma, to be accepted"),
        "12b": _w("google/gemma-3-12b-it", 24.4, "Gemma, to be accepted"),
        "27b": _w("google/gemma-3-27b-it", 54.9, "Gemma, to be accepted"),
    },
    types=("gemma3",),
    about="paragraphs; follows instructions in many languages",
)
FLORENCE2: Final = LocalModel(
    name="florence-2",
    sizes={
        "base": _w("florence-community/Florence-2-base", 0.46, "MIT"),
        "large": _w("florence-community/Florence-2-large", 1.55, "MIT"),
    },
    types=("florence2",),
    prompt="<DETAILED_CAPTION>",
    tasks=("<CAPTION>", "<DETAILED_CAPTION>", "<MORE_DETAILED_CAPTION>", "<OCR>"),
    max_tokens=256,
    instructable=False,
    marks=True,
    about="a sentence to a paragraph by the task, fast",
)
SMOLVLM: Final = LocalModel(
    name="smolvlm",
    sizes={
        "2.2b": _w("HuggingFaceTB/SmolVLM-Instruct", 4.5, "Apache-2.0"),
        "500m": _w("HuggingFaceTB/SmolVLM-500M-Instruct", 1.0, "Apache-2.0"),
        "256m": _w("HuggingFaceTB/SmolVLM-256M-Instruct", 0.5, "Apache-2.0"),
    },
    types=("smolvlm", "idefics3"),
    about="paragraphs; small",
)
PALIGEMMA: Final = LocalModel(
    name="paligemma",
    sizes={
        "3b": _w("google/paligemma-3b-mix-224", 11.7, "Gemma, to be accepted"),
        "3b-448": _w("google/paligemma-3b-mix-448", 11.7, "Gemma, to be accepted"),
    },
    types=("paligemma",),
    prompt="caption en",
    max_tokens=128,
    instructable=False,
    image_token=True,
    about="one sentence in the language of its prompt, such as `caption de`",
)
GIT: Final = LocalModel(
    name="git",
    sizes={
        "base": _w("microsoft/git-base-coco", 0.71, "MIT"),
        "large": _w("microsoft/git-large-coco", 1.58, "MIT"),
    },
    types=("git",),
    prompt="",
    completes=True,
    max_tokens=64,
    instructable=False,
    ends_texts=True,
    returns_texts=True,
    about="one short sentence",
)
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
