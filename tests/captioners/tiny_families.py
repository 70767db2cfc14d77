"""A tiny model with random weights for each family of local models, saved as the real ones are.

Their weights are spread far enough that the words depend on the picture, and answers end by themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers as hf
from tokenizers import Tokenizer, models, pre_tokenizers, processors

WORDS = [
    "a", "red", "green", "blue", "dark", "bright", "small", "large", "round", "square", "dog",
    "cat", "tree", "house", "street", "sky", "with", "and", "on", "the", "of", "in", "two", "three",
    "bird", "boat", "field", "sea", "cloud", "stone", "image", "caption", "en", "describe",
]  # fmt: skip
SIDE = 32
CHAT = (
    "{% for message in messages %}{{ message['role'] }}: "
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}IMAGE{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %} {% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"
)
_TEXT = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "max_position_embeddings": 2048,
}
_VISION = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": SIDE,
    "patch_size": 8,
}
_SQUARE = {"height": SIDE, "width": SIDE}


def tokenizer(*special: str, bert: bool = False, **named: str) -> Any:
    """Words, letters and the special tokens of a family; ``bert`` frames texts with [CLS] and [SEP]."""
    frame = {"bos": "[CLS]", "eos": "[SEP]"} if bert else {"bos": "<s>", "eos": "</s>"}
    first = ["<pad>", frame["bos"], frame["eos"], "<unk>", *special]
    letters = sorted({chr(code) for code in range(33, 127)})
    vocabulary = {token: number for number, token in enumerate(dict.fromkeys([*first, *WORDS, *letters]))}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    if bert:
        made.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[(name, vocabulary[name]) for name in ("[CLS]", "[SEP]")]
        )
    more = {"cls_token": "[CLS]", "sep_token": "[SEP]"} if bert else {}
    fast = hf.PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token="<pad>",
        bos_token=frame["bos"],
        eos_token=frame["eos"],
        unk_token="<unk>",
        **more,
        **named,
    )
    fast.add_special_tokens({"additional_special_tokens": list(special)})
    return fast


def save(folder: Path, model: Any, processor: Any, words: Any, seed: int = 1) -> Path:
    """Weights that look at the picture, and answers of a few words that end."""
    torch.manual_seed(seed)
    for name, weight in model.named_parameters():
        if weight.dim() > 1 or "class_embedding" in name:
            # What belongs to words stays small beside what comes from the picture.
            torch.nn.init.normal_(weight, std=0.02 if "embed_tokens" in name or "shared" in name else 0.35)
    model.eval()
    model.tie_weights()
    settings = model.generation_config
    eos = words.sep_token_id if words.sep_token_id is not None else words.eos_token_id
    said = {words.convert_tokens_to_ids(word) for word in WORDS} | {eos}
    settings.suppress_tokens = [number for number in range(len(words)) if number not in said]
    settings.eos_token_id, settings.pad_token_id = eos, words.pad_token_id
    settings.min_new_tokens = 6
    settings.exponential_decay_length_penalty = (8, 1.5)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def _pixels(kind: Any, **options: Any) -> Any:
    return kind(**options)


def blip(folder: Path) -> Path:
    words = tokenizer(bert=True)
    config = hf.BlipConfig(
        vision_config=_VISION,
        text_config={
            **_TEXT,
            "max_position_embeddings": 512,
            "encoder_hidden_size": 32,
            "vocab_size": len(words),
            "bos_token_id": words.cls_token_id,
            "sep_token_id": words.sep_token_id,
            "eos_token_id": words.sep_token_id,
            "pad_token_id": words.pad_token_id,
        },
        projection_dim=32,
        image_text_hidden_size=32,
    )
    processor = hf.BlipProcessor(_pixels(hf.BlipImageProcessorPil, size=_SQUARE), words)
    return save(folder, hf.BlipForConditionalGeneration(config), processor, words)


def _blip2(folder: Path, text: Any, words: Any) -> Path:
    image = words.convert_tokens_to_ids("<image>")
    config = hf.Blip2Config(
        vision_config=_VISION,
        qformer_config={
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 64,
            "encoder_hidden_size": 32,
            "vocab_size": len(words),
        },
        text_config=text,
        num_query_tokens=4,
        image_token_index=image,
    )
    processor = hf.Blip2Processor(_pixels(hf.BlipImageProcessorPil, size=_SQUARE), words, num_query_tokens=4)
    return save(folder, hf.Blip2ForConditionalGeneration(config), processor, words, seed=6)


def blip2_opt(folder: Path) -> Path:
    words = tokenizer("<image>")
    text = hf.OPTConfig(
        vocab_size=len(words),
        hidden_size=32,
        ffn_dim=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=512,
        word_embed_proj_dim=32,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )
    return _blip2(folder, text, words)


def blip2_t5(folder: Path) -> Path:
    words = tokenizer("<image>")
    text = hf.T5Config(
        vocab_size=len(words),
        d_model=32,
        d_kv=16,
        d_ff=64,
        num_layers=2,
        num_heads=2,
        decoder_start_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )
    return _blip2(folder, text, words)


def git(folder: Path) -> Path:
    words = tokenizer(bert=True)
    config = hf.GitConfig(
        vision_config=_VISION,
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=512,
        bos_token_id=words.cls_token_id,
        eos_token_id=words.sep_token_id,
        pad_token_id=words.pad_token_id,
    )
    processor = hf.GitProcessor(
        _pixels(hf.CLIPImageProcessorPil, size={"shortest_edge": SIDE}, crop_size=_SQUARE), words
    )
    return save(folder, hf.GitForCausalLM(config), processor, words)


def kosmos2(folder: Path) -> Path:
    places = [f"<patch_index_{number:04d}>" for number in range(16)]
    marks = ["<image>", "</image>", "<phrase>", "</phrase>", "<object>", "</object>", "<grounding>"]
    marks += ["</doc>", "<doc>", "</delimiter_of_multi_objects/>", "</chunk>", "</line>"]
    words = tokenizer(*marks, *places)
    config = hf.Kosmos2Config(
        text_config={
            "vocab_size": len(words),
            "max_position_embeddings": 512,
            "embed_dim": 32,
            "layers": 2,
            "ffn_dim": 64,
            "attention_heads": 2,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "pad_token_id": 0,
        },
        vision_config=_VISION,
        latent_query_num=64,
    )
    processor = hf.Kosmos2Processor(
        _pixels(hf.CLIPImageProcessorPil, size={"shortest_edge": SIDE}, crop_size=_SQUARE),
        words,
        num_patch_index_tokens=16,
    )
    model = hf.Kosmos2ForConditionalGeneration(config)
    model.resize_token_embeddings(len(processor.tokenizer))
    return save(folder, model, processor, processor.tokenizer, seed=4)


def florence2(folder: Path) -> Path:
    words = tokenizer("<image>", image_token="<image>")
    text = {
        "model_type": "bart",
        "vocab_size": len(words),
        "d_model": 32,
        "encoder_layers": 2,
        "decoder_layers": 2,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
        "encoder_ffn_dim": 64,
        "decoder_ffn_dim": 64,
        "max_position_embeddings": 512,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 0,
        "decoder_start_token_id": 2,
        "forced_bos_token_id": None,
    }
    vision = {
        "embed_dim": [8, 16, 24, 32],
        "num_heads": [1, 2, 2, 2],
        "num_groups": [1, 2, 2, 2],
        "depths": [1, 1, 1, 1],
        "window_size": 2,
        "projection_dim": 32,
    }
    pixels = _pixels(hf.CLIPImageProcessorPil, size={"height": 64, "width": 64}, do_center_crop=False)
    pixels.image_seq_length = 5
    processor = hf.Florence2Processor(image_processor=pixels, tokenizer=words, num_additional_image_tokens=1)
    config = hf.Florence2Config(
        text_config=text,
        vision_config=vision,
        image_token_id=processor.tokenizer.convert_tokens_to_ids("<image>"),
    )
    model = hf.Florence2ForConditionalGeneration(config)
    model.resize_token_embeddings(len(processor.tokenizer))
    return save(folder, model, processor, processor.tokenizer, seed=4)


def _chat(image: str) -> str:
    return CHAT.replace("IMAGE", image)


def llava(folder: Path) -> Path:
    words = tokenizer("<image>")
    config = hf.LlavaConfig(
        vision_config=hf.CLIPVisionConfig(**_VISION),
        text_config=hf.LlamaConfig(vocab_size=len(words), **_TEXT),
        image_token_index=words.convert_tokens_to_ids("<image>"),
        vision_feature_select_strategy="default",
    )
    processor = hf.LlavaProcessor(
        image_processor=_pixels(hf.CLIPImageProcessorPil, size={"shortest_edge": SIDE}, crop_size=_SQUARE),
        tokenizer=words,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=_chat("<image>"),
        image_token="<image>",
    )
    return save(folder, hf.LlavaForConditionalGeneration(config), processor, words)


def llava_onevision(folder: Path) -> Path:
    from cutline.captioners.transformers import video_shim

    video_shim.skip_video_processors()
    words = tokenizer("<image>", "<video>")
    config = hf.LlavaOnevisionConfig(
        vision_config=hf.SiglipVisionConfig(**_VISION),
        text_config=hf.Qwen2Config(vocab_size=len(words), **_TEXT),
        image_token_index=words.convert_tokens_to_ids("<image>"),
        video_token_index=words.convert_tokens_to_ids("<video>"),
        image_grid_pinpoints=[[32, 64], [64, 32], [64, 64]],
        vision_feature_select_strategy="full",
    )
    processor = hf.LlavaOnevisionProcessor(
        image_processor=_pixels(
            hf.LlavaOnevisionImageProcessorPil,
            size=_SQUARE,
            image_grid_pinpoints=[[32, 64], [64, 32], [64, 64]],
        ),
        tokenizer=words,
        num_image_tokens=16,
        vision_feature_select_strategy="full",
        chat_template=_chat("<image>"),
    )
    return save(folder, hf.LlavaOnevisionForConditionalGeneration(config), processor, words)


_QWEN_MARKS = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>", "<|vision_pad|>")


def _qwen(folder: Path, name: str, vision: dict[str, Any], patch: int = 8) -> Path:
    from cutline.captioners.transformers import video_shim

    video_shim.skip_video_processors()
    words = tokenizer(*_QWEN_MARKS)
    ids = {mark: words.convert_tokens_to_ids(mark) for mark in _QWEN_MARKS}
    config = getattr(hf, f"{name}Config")(
        text_config={
            **_TEXT,
            "vocab_size": len(words),
            "head_dim": 16,
            "rope_parameters": {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 10000.0},
            "bos_token_id": 1,
            "eos_token_id": 2,
            "pad_token_id": 0,
        },
        vision_config=vision,
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
    )
    pixels = hf.Qwen2VLImageProcessorPil(
        patch_size=patch,
        merge_size=2,
        temporal_patch_size=2,
        size={"shortest_edge": 256, "longest_edge": 64 * 64},
    )
    processor = getattr(hf, f"{name}Processor")(
        image_processor=pixels,
        tokenizer=words,
        chat_template=_chat("<|vision_start|><|image_pad|><|vision_end|>"),
    )
    return save(folder, getattr(hf, f"{name}ForConditionalGeneration")(config), processor, words)


def qwen2_vl(folder: Path) -> Path:
    return _qwen(
        folder,
        "Qwen2VL",
        {"depth": 2, "embed_dim": 32, "hidden_size": 32, "num_heads": 2, "mlp_ratio": 2, "patch_size": 8},
    )


def qwen25_vl(folder: Path) -> Path:
    vision = {
        "depth": 2,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_heads": 2,
        "patch_size": 8,
        "out_hidden_size": 32,
        "window_size": 32,
        "fullatt_block_indexes": [1],
    }
    return _qwen(folder, "Qwen2_5_VL", vision)


def qwen3_vl(folder: Path) -> Path:
    vision = {
        "depth": 2,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_heads": 2,
        "patch_size": 8,
        "out_hidden_size": 32,
        "num_position_embeddings": 64,
        "deepstack_visual_indexes": [0],
    }
    return _qwen(folder, "Qwen3VL", vision)


def gemma3(folder: Path) -> Path:
    marks = {
        "boi_token": "<start_of_image>",
        "eoi_token": "<end_of_image>",
        "image_token": "<image_soft_token>",
    }
    words = tokenizer(*marks.values(), **marks)
    config = hf.Gemma3Config(
        text_config={
            **_TEXT,
            "vocab_size": len(words),
            "head_dim": 16,
            "query_pre_attn_scalar": 16,
            "sliding_window": 64,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "pad_token_id": 0,
        },
        vision_config={**_VISION, "model_type": "siglip_vision_model", "vision_use_head": False},
        mm_tokens_per_image=4,
        boi_token_index=words.convert_tokens_to_ids("<start_of_image>"),
        eoi_token_index=words.convert_tokens_to_ids("<end_of_image>"),
        image_token_index=words.convert_tokens_to_ids("<image_soft_token>"),
        eos_token_id=2,
    )
    processor = hf.Gemma3Processor(
        image_processor=_pixels(hf.Gemma3ImageProcessorPil, size=_SQUARE),
        tokenizer=words,
        chat_template=_chat("<start_of_image>"),
        image_seq_length=4,
    )
    return save(folder, hf.Gemma3ForConditionalGeneration(config), processor, words, seed=3)


def smolvlm(folder: Path) -> Path:
    from cutline.captioners.transformers import video_shim

    video_shim.skip_video_processors()
    rows = [f"<row_{row}_col_{column}>" for row in range(1, 5) for column in range(1, 5)]
    marks = ["<fake_token_around_image>", "<image>", "<end_of_utterance>", "<global-img>", *rows]
    words = tokenizer(*marks)
    image = words.convert_tokens_to_ids("<image>")
    config = hf.SmolVLMConfig(
        text_config={**_TEXT, "model_type": "llama", "vocab_size": len(words), "pad_token_id": 0},
        vision_config={**_VISION, "max_image_size": {"longest_edge": SIDE}},
        image_token_id=image,
        scale_factor=2,
        pad_token_id=0,
    )
    pixels = _pixels(
        hf.SmolVLMImageProcessorPil, size={"longest_edge": 2 * SIDE}, max_image_size={"longest_edge": SIDE}
    )
    processor = hf.SmolVLMProcessor(pixels, words, None, image_seq_len=4, chat_template=_chat("<image>"))
    return save(folder, hf.SmolVLMForConditionalGeneration(config), processor, words)


def paligemma(folder: Path) -> Path:
    words = tokenizer("<image>", image_token="<image>")
    pixels = _pixels(hf.SiglipImageProcessorPil, size=_SQUARE)
    pixels.image_seq_length = 16
    processor = hf.PaliGemmaProcessor(image_processor=pixels, tokenizer=words)
    words = processor.tokenizer
    config = hf.PaliGemmaConfig(
        text_config={
            **_TEXT,
            "model_type": "gemma",
            "vocab_size": len(words),
            "head_dim": 16,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "pad_token_id": 0,
        },
        vision_config={
            **_VISION,
            "model_type": "siglip_vision_model",
            "vision_use_head": False,
            "projection_dim": 32,
        },
        image_token_index=words.convert_tokens_to_ids("<image>"),
        projection_dim=32,
    )
    return save(folder, hf.PaliGemmaForConditionalGeneration(config), processor, words)


FAMILIES: dict[str, Callable[[Path], Path]] = {
    "blip": blip,
    "blip2-opt": blip2_opt,
    "blip2-flan-t5": blip2_t5,
    "llava": llava,
    "llava-onevision": llava_onevision,
    "qwen2-vl": qwen2_vl,
    "qwen2.5-vl": qwen25_vl,
    "qwen3-vl": qwen3_vl,
    "kosmos-2": kosmos2,
    "gemma-3": gemma3,
    "florence-2": florence2,
    "smolvlm": smolvlm,
    "paligemma": paligemma,
    "git": git,
}


Zoo = Callable[[str], Path]
"""Gives the folder of a family's tiny model."""
