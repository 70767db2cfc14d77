"""A tiny BLIP, which has no chat and continues with what it is given: weights, tokenizer and processor."""

from __future__ import annotations

import random

from readers.drawing import COLOUR, COLOURS, COLUMNS, DESCRIBE, PLACE, ROWS, SHAPES, Scene
from transformers import (
    BertTokenizer,
    BlipConfig,
    BlipForConditionalGeneration,
    BlipImageProcessor,
    BlipProcessor,
)

SIDE, PATCH, WIDTH = 48, 8, 64
BEGINNINGS = {"": DESCRIBE, "the colour is": COLOUR, "it is at the": PLACE}
"""What is said first, and the question that the rest of the sentence answers."""


def tokenizer() -> BertTokenizer:
    """Whole words, as BERT's tokenizer finds them."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", "</s>"]
    words = ["a", "an", "and", "at", "the", "is", "it", "colour", *COLOURS, *SHAPES, *ROWS, *COLUMNS]
    vocabulary = {word: number for number, word in enumerate(dict.fromkeys([*special, *words]))}
    return BertTokenizer(vocab=vocabulary, additional_special_tokens=["[DEC]"])


class Blip:
    """Its model and processor, and how it learns one answer."""

    def __init__(self) -> None:
        words = tokenizer()
        self._words = words
        self.pad = words.pad_token_id
        self.processor = BlipProcessor(
            image_processor=BlipImageProcessor(size={"height": SIDE, "width": SIDE}), tokenizer=words
        )
        decoder = words.convert_tokens_to_ids("[DEC]")
        self.model = BlipForConditionalGeneration(
            BlipConfig(
                vision_config={
                    "hidden_size": WIDTH,
                    "intermediate_size": 192,
                    "num_hidden_layers": 3,
                    "num_attention_heads": 4,
                    "image_size": SIDE,
                    "patch_size": PATCH,
                    "initializer_range": 0.02,  # far more than its own, to learn at all soon
                },
                text_config={
                    "vocab_size": len(words),
                    "hidden_size": WIDTH,
                    "encoder_hidden_size": WIDTH,
                    "intermediate_size": 192,
                    "num_hidden_layers": 2,
                    "num_attention_heads": 4,
                    "max_position_embeddings": 128,
                    "hidden_dropout_prob": 0.0,
                    "attention_probs_dropout_prob": 0.0,
                    "bos_token_id": decoder,
                    # As with the published ones, this is not the token that ends a caption: [SEP] is.
                    "eos_token_id": words.convert_tokens_to_ids("</s>"),
                    "pad_token_id": words.pad_token_id,
                    "sep_token_id": words.sep_token_id,
                },
                projection_dim=16,
                image_text_hidden_size=16,
            )
        )
        self._begin = {text: [decoder, *self._ids(text)] for text in BEGINNINGS}

    width = WIDTH
    steps = 3000

    def look(self, pictures):
        """What the vision tower makes of each patch."""
        return self.model.vision_model(pixel_values=pictures).last_hidden_state[:, 1:]

    def example(self, scene: Scene, dice: random.Random) -> tuple[list[int], list[int]]:
        """The tokens that a sentence begins with, and those that continue."""
        beginning = dice.choice(("", "", "", *BEGINNINGS))
        rest = self._ids(scene.answer(BEGINNINGS[beginning]))
        return self._begin[beginning], [*rest, self._words.sep_token_id]

    def _ids(self, text: str) -> list[int]:
        return self._words(text, add_special_tokens=False).input_ids
