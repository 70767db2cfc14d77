"""The published captions with the scores of the reference implementation."""

from __future__ import annotations

import json

CASES = ("shared_subset100", "nlg_eval_example", "clipscore_good", "clipscore_bad")
NAMES = {
    "BLEU-1": "Bleu_1",
    "BLEU-2": "Bleu_2",
    "BLEU-3": "Bleu_3",
    "BLEU-4": "Bleu_4",
    "ROUGE-L": "ROUGE_L",
    "METEOR": "METEOR",
    "CIDEr-D": "CIDEr",
}


def material(folder, case):
    """Captions and references of a case in the order of its expected scores, and those."""
    if case == "long_100":
        data = json.loads((folder / "long_100.json").read_text())
        candidates, references, expected = data["candidates"], data["references"], data["expected"]
    else:
        expected = json.loads((folder / "expected.json").read_text())["cases"][case]
        if case == "coco_fakecap_1000":
            rows = json.loads((folder / "en_captions_val2014_fakecap_results.json").read_text())
            candidates = {str(row["image_id"]): row["caption"] for row in rows}
            references = {}
            for row in json.loads((folder / "en_captions_val2014.json").read_text())["annotations"]:
                references.setdefault(str(row["image_id"]), []).append(row["caption"])
        else:
            data = json.loads((folder / f"cases/{case}.json").read_text())
            candidates, references = data["candidates"], data["references"]
    ids = list(map(str, expected["ids"]))
    texts = [one if isinstance(one := candidates[key], str) else one[0] for key in ids]
    return texts, [references[key] for key in ids], expected
