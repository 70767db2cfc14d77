"""A tiny LLaVA, which is asked by a chat: new weights, a tokenizer and a processor for it."""

from __future__ import annotations

import random

from readers.drawing import COLOURS, DESCRIBE, QUESTIONS, Scene, some_scene
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

SIDE, PATCH, WIDTH = 48, 8, 64
CHAT = (
    "{% for message in messages %}{% if message['role'] == 'system' %}"
    "{{ message['content'][0]['text'] }} {% else %}USER: "
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>\n{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}{% endfor %}{% if add_generation_prompt %} ASSISTANT:{% endif %}"
)


def tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE, made from the questions and answers."""
    special = ["<pad>", "<s>", "</s>", "<image>"]
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=420,
        special_tokens=special,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    dice = random.Random(1)
    scenes = [some_scene(dice) for _ in range(500)]
    texts = [f"USER: {question} ASSISTANT:" for question in QUESTIONS for _ in range(100)]
    texts += [f" {scene.answer(DESCRIBE)}" for scene in scenes] + [f" {colour}" for colour in COLOURS]
    made.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        additional_special_tokens=["<image>"],
    )


class Llava:
    """Its model and processor, and how it learns one answer."""

    def __init__(self) -> None:
        words = tokenizer()
        self.pad = words.pad_token_id
        self.processor = LlavaProcessor(
            image_processor=CLIPImageProcessor(
                size={"height": SIDE, "width": SIDE},  # the whole picture, squeezed into a square
                do_center_crop=False,
            ),
            tokenizer=words,
            patch_size=PATCH,
            vision_feature_select_strategy="default",
            num_additional_image_tokens=1,
            chat_template=CHAT,
            image_token="<image>",
        )
        self.model = LlavaForConditionalGeneration(
            LlavaConfig(
                vision_config=CLIPVisionConfig(
                    hidden_size=WIDTH,
                    intermediate_size=192,
                    num_hidden_layers=3,
                    num_attention_heads=4,
                    image_size=SIDE,
                    patch_size=PATCH,
                ),
                text_config=LlamaConfig(
                    vocab_size=len(words),
                    hidden_size=WIDTH,
                    intermediate_size=192,
                    num_hidden_layers=2,
                    num_attention_heads=4,
                    num_key_value_heads=4,
                    max_position_embeddings=1024,
                    tie_word_embeddings=True,
                    pad_token_id=words.pad_token_id,
                    bos_token_id=words.bos_token_id,
                    eos_token_id=words.eos_token_id,
                ),
                image_token_index=words.convert_tokens_to_ids("<image>"),
                vision_feature_layer=-1,
                vision_feature_select_strategy="default",
                tie_word_embeddings=True,
                pad_token_id=words.pad_token_id,
            )
        )
        self.model.generation_config.eos_token_id = words.eos_token_id
        self.model.generation_config.pad_token_id = words.pad_token_id
        self._prompts = {question: self._prompt(question) for question in QUESTIONS}

    width = WIDTH
    steps = 2500

    def look(self, pictures):
        """What the vision tower makes of each patch."""
        return self.model.model.vision_tower(pixel_values=pictures).last_hidden_state[:, 1:]

    def example(self, scene: Scene, dice: random.Random) -> tuple[list[int], list[int]]:
        """The tokens of a question, and those of its answer."""
        question = dice.choice((DESCRIBE, DESCRIBE, *QUESTIONS))
        words = self.processor.tokenizer
        answer = words(f" {scene.answer(question)}", add_special_tokens=False).input_ids
        return self._prompts[question], [*answer, words.eos_token_id]

    def _prompt(self, question: str) -> list[int]:
        content = [{"type": "image"}, {"type": "text", "text": question}]
        text = self.processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True
        )
        text = text.replace("<image>", "<image>" * (SIDE // PATCH) ** 2)
        return self.processor.tokenizer(text).input_ids
