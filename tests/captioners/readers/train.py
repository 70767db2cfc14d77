"""Makes the models of this folder, from nothing: a tiny LLaVA and a tiny BLIP that read drawn pictures.

In tests/captioners: python -m readers.train llava   (or blip)

The tokenizer, the processor's settings and the weights all come from here, and from one seed; another
CPU may round differently. It takes about ten minutes of one core. Weights are kept as bfloat16, so that
a run in float32 and one in bfloat16 begin with the same numbers. First the vision tower learns to tell
what is where, then the whole model learns to say it: of pictures it never saw, 99 in 100 (LLaVA) and
97 in 100 (BLIP) are described right to the letter.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import time
from pathlib import Path

import torch
from PIL import Image
from readers.blip import Blip
from readers.drawing import COLOURS, SHAPES, Scene, draw, some_scene, stored
from readers.llava import Llava
from torch.nn.functional import cross_entropy

HERE = Path(__file__).parent
SEED = 20_000
POOL = 8_000  # pictures; each is seen turned, mirrored and with its colours exchanged
IGNORED = -100


def drawn(count: int, processor) -> tuple[list[Scene], torch.Tensor]:
    """Scenes, and their pictures in the model's size but still in bytes, so that they can be varied."""
    dice = random.Random(SEED)
    scenes, pixels = [], []
    for _ in range(count):
        scene = some_scene(dice)
        long = dice.randint(96, 320)
        sides = [long, round(long / dice.uniform(1, 1.5))]
        dice.shuffle(sides)
        image = draw(scene, dice, width=sides[0], height=sides[1], clear=dice.random() < 0.1)
        if image.mode == "RGBA":
            white = Image.new("RGB", image.size, "white")
            white.paste(image, mask=image)
            image = white
        made = processor(image, do_rescale=False, do_normalize=False, return_tensors="pt")
        pixels.append(made["pixel_values"][0].to(torch.uint8))
        scenes.append(scene)
    return scenes, torch.stack(pixels)


def varied(scene: Scene, pixels: torch.Tensor, dice: random.Random) -> tuple[Scene, torch.Tensor]:
    """Seen another way round, and perhaps with red and blue exchanged."""
    turn = dice.randint(1, 8)
    scene = scene.turned(turn)
    pixels = torch.from_numpy(stored(pixels.permute(1, 2, 0).numpy(), turn)).permute(2, 0, 1)
    if dice.random() < 0.5:
        scene, pixels = scene.exchanged(), pixels.flip(0)
    return scene, pixels


def batches(scenes, pixels, processor, size):
    """Without end: scenes, and their pictures in the numbers that the processor makes."""
    dice = random.Random(SEED + 1)
    image = processor.image_processor
    mean, deviation = (torch.tensor(three).view(3, 1, 1) for three in (image.image_mean, image.image_std))
    while True:
        chosen = [dice.randrange(len(scenes)) for _ in range(size)]
        pairs = [varied(scenes[number], pixels[number], dice) for number in chosen]
        pictures = torch.stack([picture for _, picture in pairs])
        yield [scene for scene, _ in pairs], (pictures / 255 - mean) / deviation


def learn(parameters, losses, *, steps: int, rate: float, name: str) -> None:
    """``losses`` gives, step by step, a loss and how much was right."""
    parameters = list(parameters)
    optimizer = torch.optim.AdamW(parameters, lr=rate, weight_decay=0.02, betas=(0.9, 0.98))
    start, smooth = time.monotonic(), 0.0
    for step in range(steps):
        warm, left = min(1, (step + 1) / 100), (1 + math.cos(math.pi * step / steps)) / 2
        for group in optimizer.param_groups:
            group["lr"] = rate * warm * left
        loss, right = next(losses)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        smooth += (right - smooth) * max(0.02, 1 / (step + 1))
        if step % 50 == 0 or step == steps - 1:
            passed = time.monotonic() - start
            print(f"{name} {step}: loss {loss.item():.4f}, right {smooth:.3f}, {passed:.0f} s", flush=True)


def looking(reader, head, drawings):
    """What is in each of the nine places, told from the vision tower alone: it learns sooner so."""
    colours, shapes = list(COLOURS), list(SHAPES)
    for scenes, pictures in drawings:
        wanted = torch.zeros(len(scenes), 9, 2, dtype=torch.long)
        for number, scene in enumerate(scenes):
            for thing in scene.things:
                kinds = (colours.index(thing.colour) + 1, shapes.index(thing.shape) + 1)
                wanted[number, 3 * thing.row + thing.column] = torch.tensor(kinds)
        seen = reader.look(pictures)
        side = math.isqrt(seen.shape[1])
        grid = seen.transpose(1, 2).unflatten(2, (side, side))
        cells = torch.nn.functional.adaptive_avg_pool2d(grid, 3).flatten(2).transpose(1, 2)
        colour, shape = head(cells).split((len(colours) + 1, len(shapes) + 1), dim=-1)
        loss = cross_entropy(colour.flatten(0, 1), wanted[..., 0].flatten())
        loss = loss + cross_entropy(shape.flatten(0, 1), wanted[..., 1].flatten())
        found = torch.stack((colour.argmax(-1), shape.argmax(-1)), dim=-1)
        yield loss, (found == wanted).flatten(1).all(dim=1).float().mean().item()


def telling(reader, drawings):
    """The words of the answers, one token after the other."""
    dice = random.Random(SEED + 2)
    for scenes, pictures in drawings:
        texts = [reader.example(scene, dice) for scene in scenes]
        rows = [(begin + end, [IGNORED] * len(begin) + end) for begin, end in texts]
        longest = max(len(ids) for ids, _ in rows)
        ids = torch.tensor([ids + [reader.pad] * (longest - len(ids)) for ids, _ in rows])
        labels = torch.tensor([labels + [IGNORED] * (longest - len(labels)) for _, labels in rows])
        output = reader.model(pixel_values=pictures, input_ids=ids, attention_mask=ids != reader.pad)
        logits, wanted = output.logits[:, :-1], labels[:, 1:]
        loss = cross_entropy(logits.flatten(0, 1), wanted.flatten(), ignore_index=IGNORED)
        whole = ((logits.argmax(-1) == wanted) | (wanted == IGNORED)).all(dim=1)
        yield loss, whole.float().mean().item()


def train(reader, folder: Path, *, looks: int, steps: int, size: int) -> None:
    scenes, pixels = drawn(POOL, reader.processor.image_processor)
    drawings = batches(scenes, pixels, reader.processor, size)
    model = reader.model.train()
    print(sum(weight.numel() for weight in model.parameters()), "weights", flush=True)
    head = torch.nn.Linear(reader.width, len(COLOURS) + len(SHAPES) + 2)
    parameters = [*model.parameters(), *head.parameters()]
    learn(parameters, looking(reader, head, drawings), steps=looks, rate=2e-3, name="look")
    learn(model.parameters(), telling(reader, drawings), steps=steps, rate=1.5e-3, name="tell")
    model.eval().to(torch.bfloat16)
    model.save_pretrained(folder)
    reader.processor.save_pretrained(folder)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=("llava", "blip"))
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--looks", type=int, default=1500)
    parser.add_argument("--steps", type=int, help="of telling; by the kind when not given")
    parser.add_argument("--size", type=int, default=48)
    chosen = parser.parse_args()
    torch.set_num_threads(1)  # in step with nobody, and the sums are always the same
    torch.manual_seed(SEED)
    reader = Llava() if chosen.kind == "llava" else Blip()
    folder = chosen.folder or HERE / chosen.kind
    train(reader, folder, looks=chosen.looks, steps=chosen.steps or reader.steps, size=chosen.size)


if __name__ == "__main__":
    sys.exit(main())
