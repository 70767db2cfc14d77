"""The encoders by name."""

from __future__ import annotations

import threading
from typing import Final, TypeVar

from cutline.encoders import DEFAULT_CLIP
from cutline.encoders.clip import ClipEncoder
from cutline.encoders.encoder import Encoder, PictureEncoder, TextEncoder
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

_MOST: Final = 3  # encoders in memory

_E = TypeVar("_E", bound=Encoder)
_made: dict[tuple[str, str, str], Encoder] = {}
_making = threading.Lock()


def text_encoder(name: str = MINILM, weights: str | None = None, device: str = "auto") -> TextEncoder:
    """The encoder of captions of a name in ``CAPTION_MODELS``; ``weights`` may follow the name and a colon.

    The same weights give the same encoder, which is loaded once; the latest few are kept.

    Raises:
        MissingExtra: what it needs is not installed.
        ConfigError: there is no such model or device; names those that there are.
    """
    _check_device(device)
    kind, weights = _parse(name, weights, CAPTION_MODELS, "captions")
    if kind == "clip":
        return _clip(weights, device)
    from cutline.encoders.sentence_bert import SentenceBert

    if kind == "sentence-bert":
        if weights is None:
            raise ConfigError("sentence-bert needs weights: sentence-bert:OWNER/NAME, or --weights FOLDER")
        kind = f"{kind}:{weights}"
    return _shared(SentenceBert(kind, weights=weights, device=device), device)


def picture_encoder(
    name: str = EFFICIENTNET, weights: str | None = None, device: str = "auto"
) -> PictureEncoder:
    """As ``text_encoder``, of pictures, and of a name in ``PICTURE_MODELS``."""
    _check_device(device)
    kind, weights = _parse(name, weights, PICTURE_MODELS, "pictures")
    if kind == "clip":
        return _clip(weights, device)
    if kind == EFFICIENTNET:
        from cutline.encoders.efficientnet import efficientnet

        return _shared(efficientnet(weights=weights, device=device), device)
    from cutline.encoders.resnet import resnet

    return _shared(resnet(weights=weights, device=device), device)


def _check_device(device: str) -> None:
    """Also where no vector is missing, and the device would not be used."""
    if device not in {"auto", "cpu"}:
        from cutline.weights import choose_device

        choose_device(device)


def _clip(weights: str | None, device: str) -> ClipEncoder:
    return _shared(ClipEncoder(weights or DEFAULT_CLIP, device=device), device)


def _shared(encoder: _E, device: str) -> _E:
    """The encoder that was made before of the same weights, if any."""
    key = (encoder.name, encoder.fingerprint, device)
    with _making:
        kept = _made.pop(key, encoder)
        _made[key] = kept  # the latest is last
        for old in list(_made)[:-_MOST]:
            del _made[old]
    return kept if isinstance(kept, type(encoder)) else encoder


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
