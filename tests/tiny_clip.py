"""Saves tiny CLIPs and SigLIPs with random weights that look at what they are given."""

from __future__ import annotations

from pathlib import Path

import torch
import transformers
from tokenizers import pre_tokenizers
from transformers import CLIPConfig, CLIPModel, CLIPProcessor, CLIPTokenizer, SiglipConfig, SiglipModel
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
from transformers.models.siglip.processing_siglip import SiglipProcessor

torch.set_num_threads(1)  # of models so small, more threads are slower

SIDE = 32
START, END = "<|startoftext|>", "<|endoftext|>"
MERGES = ("t h", "th e</w>", "o g</w>", "d og</w>", "a n", "an d</w>", "i n", "in g</w>", "r e", "re d</w>")


def tokenizer() -> CLIPTokenizer:
    """CLIP's own, with the letters and a few words for its vocabulary."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    joined = [merge.replace(" ", "") for merge in MERGES]
    words = [*letters, *(f"{letter}</w>" for letter in letters), *joined, START, END]
    vocabulary = {word: number for number, word in enumerate(words)}
    return CLIPTokenizer(
        vocab=vocabulary, merges=[tuple(merge.split()) for merge in MERGES], model_max_length=77
    )


def _sizes() -> dict[str, int]:
    return {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }


def _shuffle(model: torch.nn.Module) -> None:
    """As they come, random weights would ignore what they are given."""
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                torch.nn.init.normal_(weight, std=0.35)


def _save(model: torch.nn.Module, processor: object, folder: Path) -> Path:
    transformers.utils.logging.disable_progress_bar()
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def save_clip(folder: Path, *, seed: int = 0) -> Path:
    """A CLIP of 24 dimensions for pictures of 32 pixels; returns the folder."""
    torch.manual_seed(seed)  # before the model is made: not every weight is set by `_shuffle`
    words = tokenizer()
    special = {"bos_token_id": words.bos_token_id, "eos_token_id": words.eos_token_id}
    text = {**_sizes(), "vocab_size": len(words), "pad_token_id": words.eos_token_id, **special}
    vision = {**_sizes(), "image_size": SIDE, "patch_size": 8}
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=24))
    _shuffle(model)
    side = {"height": SIDE, "width": SIDE}
    images = CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size=side)
    return _save(model, CLIPProcessor(image_processor=images, tokenizer=words), folder)


def save_siglip(folder: Path, *, seed: int = 0) -> Path:
    torch.manual_seed(seed)  # before the model is made: not every weight is set by `_shuffle`
    words = tokenizer()
    special = {"bos_token_id": words.bos_token_id, "eos_token_id": words.eos_token_id}
    text = {**_sizes(), "vocab_size": len(words), "max_position_embeddings": 64, "projection_size": 32}
    text |= {"pad_token_id": words.eos_token_id, **special}
    vision = {**_sizes(), "image_size": SIDE, "patch_size": 8}
    model = SiglipModel(SiglipConfig(text_config=text, vision_config=vision))
    _shuffle(model)
    images = SiglipImageProcessorPil(size={"height": SIDE, "width": SIDE})
    return _save(model, SiglipProcessor(image_processor=images, tokenizer=words), folder)
