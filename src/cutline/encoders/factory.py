"""The encoders by name."""

from __future__ import annotations

from typing import Final

from cutline.encoders import DEFAULT_CLIP
from cutline.encoders.clip import ClipEncoder
from cutline.encoders.encoder import PictureEncoder, TextEncoder
from cutline.errors import ConfigError
from cutline.formatting import nearest

MINILM: Final = "all-MiniLM-L6-v2"
EFFICIENTNET: Final = "efficientnet-lite0"
MULTILINGUAL: Final = "sentence-bert:sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2"

CAPTION_MODELS: Final = {
    MINILM: "Sentence-BERT that knows English; its weights come with the extra `analysis`",
    "sentence-bert": "another Sentence-BERT: sentence-bert:OWNER/NAME, or a folder by --weights",
    "clip": f"CLIP, {DEFAULT_CLIP} or clip:OWNER/NAME, or a folder by --weights",
}
PICTURE_MODELS: Final = {
    EFFICIENTNET: "trained on ImageNet; its weights come with the extra `analysis`",
    "resnet50-v2": "trained on ImageNet; weights of timm/resnetv2_50.a1h_in1k, or a file by --weights",
    "clip": f"CLIP, {DEFAULT_CLIP} or clip:OWNER/NAME, or a folder by --weights",
}


def text_encoder(name: str = MINILM, weights: str | None = None, device: str = "auto") -> TextEncoder:
    """The encoder of captions of a name in ``CAPTION_MODELS``; ``weights`` may follow the name and a colon.

    Raises:
        MissingExtra: what it needs is not installed.
        ConfigError: there is no such model; names those that there are.
    """
    kind, weights = _parse(name, weights, CAPTION_MODELS, "captions")
    if kind == "clip":
        return _clip(weights, device)
    from cutline.encoders.sentence_bert import SentenceBert

    if kind == "sentence-bert":
        if weights is None:
            raise ConfigError("sentence-bert needs weights: sentence-bert:OWNER/NAME, or --weights FOLDER")
        kind = f"{kind}:{weights}"
    return SentenceBert(kind, weights=weights, device=device)


def picture_encoder(
    name: str = EFFICIENTNET, weights: str | None = None, device: str = "auto"
) -> PictureEncoder:
    """As ``text_encoder``, of pictures, and of a name in ``PICTURE_MODELS``."""
    kind, weights = _parse(name, weights, PICTURE_MODELS, "pictures")
    if kind == "clip":
        return _clip(weights, device)
    if kind == EFFICIENTNET:
        from cutline.encoders.efficientnet import efficientnet

        return efficientnet(weights=weights, device=device)
    from cutline.encoders.resnet import resnet

    return resnet(weights=weights, device=device)


def _clip(weights: str | None, device: str) -> ClipEncoder:
    return ClipEncoder(weights or DEFAULT_CLIP, device=device)


def _parse(name: str, weights: str | None, models: dict[str, str], of: str) -> tuple[str, str | None]:
    kind, _, detail = name.partition(":")
    known = {model.lower(): model for model in models}
    if kind.lower() not in known:
        if "/" in name and of == "captions":
            raise ConfigError(f"there is no model {name!r}: write sentence-bert:{name}, or clip:{name}")
        near = nearest(kind.lower(), known)
        meant = f", did you mean {known[near[0]]}?" if near else f": choose {', '.join(models)}"
        raise ConfigError(f"there is no model {name!r} of {of}{meant}")
    if detail and weights:
        raise ConfigError(f"{name} names its weights already: leave out --weights")
    return known[kind.lower()], detail or weights
