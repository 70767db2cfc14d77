"""Saves a tiny LLaVA with random weights that looks at its picture; run where transformers is installed.

python tests/servers/tiny_model.py FOLDER
"""

from __future__ import annotations

import sys

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

WORDS = [
    "a",
    "red",
    "green",
    "blue",
    "dark",
    "bright",
    "small",
    "large",
    "round",
    "square",
    "dog",
    "cat",
    "tree",
    "house",
    "street",
    "sky",
    "with",
    "and",
    "on",
]
CHAT = (
    "{% for message in messages %}{{ message['role'] }}: "
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %} {% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"
)


def tokenizer() -> PreTrainedTokenizerFast:
    special = ["<pad>", "<s>", "</s>", "<unk>", "<image>"]
    letters = sorted({chr(code) for code in range(33, 127)})
    vocabulary = {token: number for number, token in enumerate([*special, *WORDS, *letters])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
    fast.add_special_tokens({"additional_special_tokens": ["<image>"]})
    return fast


def main(folder: str) -> None:
    torch.manual_seed(0)
    words = tokenizer()
    vision = CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=32,
        patch_size=8,
    )
    text = LlamaConfig(
        vocab_size=len(words),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=512,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=words.convert_tokens_to_ids("<image>"),
        vision_feature_select_strategy="default",
    )
    model = LlavaForConditionalGeneration(config)
    for name, weight in model.named_parameters():  # as they come, they would ignore the picture
        torch.nn.init.normal_(weight, std=0.02 if "embed_tokens" in name else 0.35)
    # Whatever the weights say, the answer is a few words, and then it ends.
    said = {*WORDS, words.eos_token}
    silent = [number for number in range(len(words)) if words.convert_ids_to_tokens(number) not in said]
    model.generation_config.suppress_tokens = silent
    model.generation_config.eos_token_id = words.eos_token_id
    model.generation_config.min_new_tokens = 6
    model.generation_config.exponential_decay_length_penalty = (8, 1.4)
    model.generation_config.pad_token_id = words.pad_token_id
    processor = LlavaProcessor(
        image_processor=CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}),
        tokenizer=words,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=CHAT,
        image_token="<image>",
    )
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


if __name__ == "__main__":
    main(sys.argv[1])
