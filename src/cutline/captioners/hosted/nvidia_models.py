"""The models that NVIDIA hosts with an API of their own, and the form of each one's requests.

API: https://docs.api.nvidia.com/nim/reference/visual-models-apis
"""

from __future__ import annotations

import dataclasses

from cutline.parameters import PENALTIES, SEED, STOP, Parameter

VLM = "/vlm/{name}"
CHAT = "/gr/{name}/chat/completions"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HostedModel:
    """One model at ai.api.nvidia.com.

    ``path``: of its URL. ``names_model``: the request holds its name too. ``pictures``: how many one
    request can hold. ``max_tokens``, ``temperature`` and ``top_p`` are its defaults unless the user
    says.
    """

    name: str
    path: str = VLM
    names_model: bool = False
    pictures: int = 1
    parameters: tuple[Parameter, ...]
    max_tokens: int = 1024
    temperature: float = 0.2
    top_p: float = 0.2
    licence: str

    @property
    def place(self) -> str:
        """The path below the service's address."""
        return self.path.format(name=self.name)


def _usual(*, most_tokens: int, hottest: float = 1.0) -> tuple[Parameter, ...]:
    return (
        Parameter(name="max_tokens", kind=int, least=1, most=most_tokens),
        Parameter(name="temperature", least=0, most=hottest),
        Parameter(name="top_p", above=0, most=1),
        SEED,
    )


_VLM = _usual(most_tokens=1024)
_LLAMA = (*_usual(most_tokens=4096, hottest=2.0), *PENALTIES, STOP)

HOSTED = {
    model.name: model
    for model in (
        HostedModel(name="microsoft/kosmos-2", licence="MIT", parameters=_VLM),
        HostedModel(
            name="nvidia/vila",
            licence="CC BY-NC-SA 4.0",
            names_model=True,
            pictures=8,
            parameters=_usual(most_tokens=4096),
        ),
        HostedModel(name="nvidia/neva-22b", licence="NVIDIA AI Foundation", parameters=_VLM),
        HostedModel(name="adept/fuyu-8b", licence="CC BY-NC 4.0", parameters=_VLM),
        HostedModel(name="google/paligemma", licence="Gemma", parameters=_VLM),
        HostedModel(name="google/deplot", licence="Apache-2.0", parameters=_VLM),
        *(
            HostedModel(
                name=f"meta/llama-3.2-{size}-vision-instruct",
                licence="Llama 3.2 Community",
                path=CHAT,
                names_model=True,
                parameters=_LLAMA,
            )
            for size in ("11b", "90b")
        ),
    )
}
