"""One way of captioning a folder of photos with a local model, measured in a process of its own.

python bench/local_contender.py NAME MODEL PHOTOS RESULT.json

Loading is measured apart. The others have captioned a first picture before the clock starts; cutline has not.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

TOKENS = 20
END = 3  # the token that ends a caption; comes last by force, as random weights find no end


class Clock:
    """Seconds by the clock and of the processor since it was started."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def read(self) -> dict[str, float]:
        return {"wall": time.perf_counter() - self._wall, "cpu": time.process_time() - self._cpu}


def pipeline(model: str, photos: list[Path], clock: Clock) -> list[str]:
    """As transformers' documentation shows it, at its defaults."""
    import transformers as hf

    made = hf.pipeline("image-text-to-text", model=model)
    settings = {"max_new_tokens": TOKENS, "forced_eos_token_id": END}

    def ask(file: Path) -> str:
        row = made(str(file), text="", generate_kwargs=settings)[0]
        return (row[0] if isinstance(row, list) else row)["generated_text"]

    ask(photos[0])
    clock.start()
    return [ask(file) for file in photos]


def generate(model: str, photos: list[Path], clock: Clock) -> list[str]:
    """The model called directly, one picture at a time, in float32."""
    import torch
    import transformers as hf
    from PIL import Image, ImageOps

    processor = hf.AutoProcessor.from_pretrained(model)
    loaded = hf.BlipForConditionalGeneration.from_pretrained(model, dtype=torch.float32).eval()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    loaded = loaded.to(device)

    def ask(file: Path) -> str:
        image = ImageOps.exif_transpose(Image.open(file)).convert("RGB")
        pixels = processor(images=image, return_tensors="pt")["pixel_values"].to(device)
        with torch.inference_mode():
            row = loaded.generate(pixel_values=pixels, max_new_tokens=TOKENS, forced_eos_token_id=END)[0]
        return processor.tokenizer.decode(row, skip_special_tokens=True)

    ask(photos[0])
    clock.start()
    return [ask(file) for file in photos]


def cutline(model: str, photos: list[Path], clock: Clock, dtype: str, *, batch: int = 0) -> list[str]:
    """As the command line runs it, from files to rows; the clock starts when the model is loaded."""
    import cutline as library

    loading = False
    lines: list[str] = []

    def progress(now: library.Progress) -> None:
        nonlocal loading
        if now.waiting_for:
            loading = True
            lines.append(now.waiting_for)
        elif loading:
            loading = False
            clock.start()

    made = library.caption(
        photos[0].parent,
        model=f"hf:{model}",
        progress=progress,
        dtype=dtype,
        max_tokens=TOKENS,
        extra={"forced_eos_token_id": END},
        **({"batch_size": batch} if batch else {}),
    )
    if made.failures:
        raise SystemExit(f"{len(made.failures)} failures, the first: {made.failures[0]}")
    for line in dict.fromkeys(lines):
        print(line, file=sys.stderr)
    rows = made.to_dict()
    clock.reported = made.report.seconds
    return [rows[photo.name] if photo.name in rows else rows[photo.stem] for photo in photos]


CONTENDERS: dict[str, Callable[[str, list[Path], Clock], list[str]]] = {
    "pipeline": pipeline,
    "generate": generate,
    "cutline": lambda model, photos, clock: cutline(model, photos, clock, "auto"),
    "cutline float32": lambda model, photos, clock: cutline(model, photos, clock, "float32"),
    **{
        f"cutline {dtype} {batch}": lambda model, photos, clock, dtype=dtype, batch=batch: cutline(
            model, photos, clock, dtype, batch=batch
        )
        for dtype in ("float32", "bfloat16")
        for batch in (1, 2, 4, 8, 16, 32)
    },
}


def main() -> None:
    name, model, folder, result = sys.argv[1:]
    photos = sorted(Path(folder).iterdir())
    clock = Clock()
    begun = time.perf_counter()
    captions = CONTENDERS[name](model, photos, clock)
    times = clock.read()
    times["wall"] = getattr(clock, "reported", times["wall"])
    times["loading"] = time.perf_counter() - begun - times["wall"]
    Path(result).write_text(json.dumps({**times, "captions": captions}))


if __name__ == "__main__":
    main()
