"""A captioning model of full size with random weights, and photos for it.

python bench/local_model.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

WORDS = 30524  # as many as BLIP's vocabulary holds


def build(folder: Path) -> Path:
    """BLIP-base as it is published, but for what it learnt: 224 million weights, 384 pixels, float32."""
    import torch
    import transformers as hf
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    hf.logging.set_verbosity_error()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", "[ENC]"]
    names = [*special, *(f"w{number}" for number in range(WORDS - len(special)))]
    vocabulary = {name: number for number, name in enumerate(names)}
    # Each token is one word, so that captions are equal only if all tokens are.
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[(name, vocabulary[name]) for name in ("[CLS]", "[SEP]")]
    )
    words = hf.PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        bos_token="[DEC]",
        eos_token="[SEP]",
    )
    config = hf.BlipConfig(
        vision_config={"initializer_range": 0.02},
        text_config={
            "vocab_size": WORDS,
            "num_attention_heads": 12,
            "bos_token_id": vocabulary["[DEC]"],
            "eos_token_id": vocabulary["[SEP]"],
            "sep_token_id": vocabulary["[SEP]"],
            "pad_token_id": vocabulary["[PAD]"],
        },
    )
    torch.manual_seed(1)
    hf.BlipForConditionalGeneration(config).save_pretrained(folder)
    hf.BlipProcessor(hf.BlipImageProcessorPil(), words).save_pretrained(folder)
    return folder


if __name__ == "__main__":
    build(Path(sys.argv[1]))
