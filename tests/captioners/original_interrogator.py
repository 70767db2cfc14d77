"""The package clip-interrogator, driven with a CLIP of transformers in the place of its own."""

from __future__ import annotations

import importlib
import sys
import types
import warnings

import pytest
import torch


class _Network:
    """A CLIP of transformers with the methods that the package calls."""

    def __init__(self, model, end):
        self._model = model
        self._end = end

    def to(self, device):
        return self

    def encode_text(self, padded):
        ends = (padded == self._end).int().argmax(dim=1, keepdim=True)
        mask = torch.arange(padded.shape[1])[None] <= ends
        filled = torch.where(mask, padded, self._end)  # as the tokenizer fills up short texts
        return self._model.get_text_features(input_ids=filled, attention_mask=mask.long()).pooler_output

    def encode_image(self, pixels):
        return self._model.get_image_features(pixel_values=pixels).pooler_output


def original(folder, labels):
    """The package's own Interrogator, with the tiny CLIP of ``folder`` and the files of ``labels``."""
    from transformers import AutoModel, AutoProcessor

    model, processor = AutoModel.from_pretrained(folder).eval(), AutoProcessor.from_pretrained(folder)
    tokenizer = processor.tokenizer

    def tokenize(texts):
        padded = torch.zeros(len(texts), 77, dtype=torch.long)
        for row, text in zip(padded, texts, strict=True):
            tokens = tokenizer(str(text), truncation=True, max_length=77)["input_ids"]
            row[: len(tokens)] = torch.tensor(tokens)
        return padded

    with pytest.MonkeyPatch.context() as patched, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Its own library of models needs torchvision, and is not used here.
        stand_in = types.SimpleNamespace(get_tokenizer=lambda name: tokenize)
        patched.setitem(sys.modules, "open_clip", stand_in)
        package = importlib.import_module("clip_interrogator.clip_interrogator")
        # The order of its set of phrases, which decides between equal scores, differs from run to run.
        package.set = lambda phrases: list(dict.fromkeys(phrases))
        config = package.Config(
            caption_model_name=None,
            clip_model_name="tiny/tiny",
            cache_path=None,
            data_path=str(labels),
            device="cpu",
            quiet=True,
            chunk_size=1_000_000,  # it may lose some of the best where it ranks in chunks
        )
        config.clip_model = _Network(model, tokenizer.eos_token_id)
        config.clip_preprocess = lambda image: processor(images=image, return_tensors="pt")["pixel_values"][0]
        return _Quiet(package.Interrogator(config))


class _Quiet:
    """Without the warnings that today's torch has for yesterday's calls."""

    def __init__(self, made):
        self._made = made

    def __call__(self, mode, image, caption):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if mode == "negative":
                return self._made.interrogate_negative(image)
            name = "interrogate" if mode == "best" else f"interrogate_{mode}"
            return getattr(self._made, name)(image, caption=caption)
