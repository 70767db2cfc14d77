"""Duplicates and sharpness, measured: recall of each change, false pairs, time and memory.

    python bench/dedup.py [--photos FOLDER …] [--pairs 1000000]

Copies are made of all photos of ``shared/data`` beside the project: resized, re-encoded, recoloured, cropped;
and for sharpness blurred, enlarged and shaken ones. Prints tables for ``docs/design/quality.md``.
"""

from __future__ import annotations

import argparse
import io
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from cutline.filters.near import are_near, nearest_kept
from cutline.filters.pages import Pages
from cutline.imaging import EXTENSIONS, Picture
from cutline.imaging.decoded import DecodedPicture
from cutline.interfaces import MeasureOptions
from cutline.locations.stored import InlineBytes, LocalFile
from cutline.measures.catalog import make_measure, usual_measures
from cutline.measures.hashes import hashes_of
from cutline.measures.pages import page_of

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
FOLDERS = [SHARED / "photos-coco/images", SHARED / "photos-cid22/images", SHARED / "photos-skimage"]
OPTIONS = MeasureOptions()


def encoded(kind="JPEG", **options):
    def change(image):
        file = io.BytesIO()
        image.save(file, kind, **options)
        return Image.open(file)

    return change


def resized(factor):
    return lambda image: image.resize(
        (max(1, round(image.width * factor)), max(1, round(image.height * factor))), Image.Resampling.LANCZOS
    )


def cropped(share):
    """Cut ``share`` of the width and height on each side."""

    def change(image):
        x, y = image.width * share, image.height * share
        return image.crop((round(x), round(y), round(image.width - x), round(image.height - y)))

    return change


def marked(image):
    copy = image.copy()
    draw = ImageDraw.Draw(copy)
    size = max(10, image.width // 16)
    draw.text((image.width // 12, image.height // 1.2), "© example.com", "white", font_size=size)
    return copy


def lit(factor):
    return lambda image: ImageEnhance.Brightness(image).enhance(factor)


COPIES = {
    **{f"resize {factor:g}": resized(factor) for factor in (0.25, 0.5, 0.75, 1.5, 2)},
    **{f"JPEG {quality}": encoded(quality=quality) for quality in (40, 50, 60, 70, 80, 90)},
    **{f"WebP {quality}": encoded("WEBP", quality=quality) for quality in (50, 80)},
    "PNG": encoded("PNG"),
    "half size, JPEG 60": lambda image: encoded(quality=60)(resized(0.5)(image)),
    "grey": lambda image: ImageOps.grayscale(image).convert("RGB"),
    **{f"brightness {factor:g}": lit(factor) for factor in (0.7, 0.85, 1.15, 1.3)},
    **{f"contrast {f:g}": lambda image, f=f: ImageEnhance.Contrast(image).enhance(f) for f in (0.8, 1.2)},
    **{f"saturation {f:g}": lambda image, f=f: ImageEnhance.Color(image).enhance(f) for f in (0.5, 1.5)},
    "sharpened": lambda image: image.filter(ImageFilter.UnsharpMask(2, 150, 3)),
    "blurred, sigma 1": lambda image: image.filter(ImageFilter.GaussianBlur(1)),
    "watermark": marked,
    "crop 1 %": cropped(0.01),
    "crop 2 %": cropped(0.02),
}
HARDER = {
    "crop 3 %": cropped(0.03),
    "crop 4 %": cropped(0.04),
    "crop 5 %": cropped(0.05),
    "mirrored": ImageOps.mirror,
    "turned 90°": lambda image: image.transpose(Image.Transpose.ROTATE_90),
}


def shaken(down, right, length=9):
    def change(image):
        pixels = np.asarray(image, dtype=np.float32)
        steps = [np.roll(pixels, (step * down, step * right), (0, 1)) for step in range(length)]
        return Image.fromarray(np.mean(steps, axis=0).round().astype(np.uint8))

    return change


def enlarged(factor):
    return lambda image: resized(1 / factor)(image).resize(image.size, Image.Resampling.BICUBIC)


def lifted(plus):
    return lambda image: image.point(lambda value: min(255, value + plus))


def paled(share):
    return lambda image: ImageEnhance.Contrast(image).enhance(share)


WORSE = {
    **{
        f"blur sigma {sigma:g}": lambda i, s=sigma: i.filter(ImageFilter.GaussianBlur(s))
        for sigma in (1, 1.5, 2, 3, 5)
    },
    "enlarged 4 times": enlarged(4),
    "shake 9 px across": shaken(0, 1),
    "shake 9 px down": shaken(1, 0),
    "shake 9 px slanted": shaken(1, 1),
    "light times 0.25": lit(0.25),
    "contrast 25 %": paled(0.25),
    "light + 120": lifted(120),
    "light times 2.5": lit(2.5),
}
RULES = {
    "sharpness": ("<", 0.75),
    "motion": (">", 0.48),
    "dark": (">", 0.6),
    "contrast": ("<", 0.4),
    "washed": (">", 0.46),
    "clipped": (">", 0.35),
}


def photos(folders):
    files = [file for folder in folders for file in sorted(folder.iterdir())]
    return [file for file in files if file.suffix.lower().lstrip(".") in EXTENSIONS]


def decoded(image):
    file = io.BytesIO()
    if image.format is None or image.format in {"JPEG", "WEBP"}:
        image.convert("RGB").save(file, "PNG", compress_level=1)
    else:
        image.save(file, "PNG", compress_level=1)
    return DecodedPicture.of(Picture(InlineBytes(file.getvalue(), "copy")))


def hashed(image):
    """Its hashes, and its ink if it is a page of text."""
    picture = decoded(image)
    found = hashes_of(picture)
    hashes = np.zeros(64, dtype=np.uint8) if found is None else np.frombuffer(found, dtype=np.uint8)
    return hashes, page_of(picture)


def distances(first, second):
    bits = np.unpackbits(first ^ second, axis=-1)
    return bits[..., :256].sum(-1), bits[..., 256:].sum(-1)


def rising(hashes):
    return np.unpackbits(hashes, axis=-1)[..., 256:].sum(-1, dtype=np.int32)


def bench_recall(images):
    """A copy is found where ``--dedup near`` would reject it beside its original."""
    hashes, pages = zip(*map(hashed, images), strict=True)
    originals = np.stack(hashes)
    rows, found_all, closest = [], [], [256, 256]
    pairs = false = 0
    for name, change in {**COPIES, **HARDER}.items():
        hashes, inks = zip(*(hashed(change(image)) for image in images), strict=True)
        copies = np.stack(hashes)
        both = [Pages.of([page, ink]) for page, ink in zip(pages, inks, strict=True)]
        found = [
            nearest_kept(np.stack(pair), pages=one).kept[1] == 0
            for *pair, one in zip(originals, copies, both, strict=True)
        ]
        rows.append((name, np.mean(found)))
        if name in COPIES:
            found_all += found
        for number, original in enumerate(originals):
            others = np.delete(copies, number, axis=0)
            dct, gradient = distances(original, others)
            closest = [min(closest[0], int(dct.min())), min(closest[1], int(gradient.min()))]
            pairs += len(others)
            false += int(are_near(dct, gradient, rising(original), rising(others)).sum())
    upper = np.triu_indices(len(originals), 1)
    dct, gradient = distances(originals[upper[0]], originals[upper[1]])
    pairs += len(dct)
    set_bits = rising(originals)
    false += int(are_near(dct, gradient, set_bits[upper[0]], set_bits[upper[1]]).sum())
    print(f"\n| change of {len(images)} photos | recall |\n|---|---|")
    for name, recall in rows:
        print(f"| {name} | {recall:.3f} |")
    print(f"| all up to crops of 2 % | {np.mean(found_all):.4f} |")
    print(
        f"\nfalse pairs: {false} of {pairs:,}; the closest two of different photos differ in {closest} bits"
    )


def bench_worse(files):
    """How many of the pictures that were made worse a rule rejects, and how many good ones it loses."""
    measures = {name: make_measure(name, OPTIONS) for name in RULES}

    def broken(picture):
        values = {name: measure.measure(picture) for name, measure in measures.items()}
        tests = {"<": lambda value, limit: value < limit, ">": lambda value, limit: value > limit}
        return {
            name: values[name] is not None and tests[sign](values[name], limit)
            for name, (sign, limit) in RULES.items()
        }

    images = [Picture(LocalFile(str(file))).image() for file in files]
    table = {"as they are": [broken(DecodedPicture.of(Picture(LocalFile(str(file))))) for file in files]}
    for name, change in WORSE.items():
        table[name] = [broken(decoded(encoded(quality=92)(change(image)))) for image in images]
    print(
        f"\n| {len(files)} photos | {' | '.join(RULES)} | sharpness or motion |\n|{'---|' * (len(RULES) + 2)}"
    )
    for name, rows in table.items():
        shares = [sum(row[rule] for row in rows) for rule in RULES]
        either = sum(row["sharpness"] or row["motion"] for row in rows)
        print(f"| {name} | {' | '.join(str(share) for share in shares)} | {either} |")


def bench_pairs(count):
    """One process: its peak memory is that of the search and of 64 bytes a picture."""
    drawn = np.random.default_rng(1)
    hashes = drawn.integers(0, 256, (count, 64), dtype=np.uint8)
    planted = count // 20
    first = drawn.permutation(count // 2)[:planted]
    second = count // 2 + drawn.permutation(count // 2)[:planted]
    share = drawn.uniform(0, 0.1, (planted, 1))
    hashes[second] = hashes[first] ^ np.packbits(drawn.random((planted, 512)) < share, axis=1)
    start = time.process_time()
    found = nearest_kept(hashes)
    seconds = time.process_time() - start
    right = int((found.kept[second] == first).sum())
    wrong = int((found.kept != np.arange(count)).sum()) - right
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found_all = f"recall {right / planted:.4f}, {wrong} false"
    print(f"{count:,} pairs of hashes: {seconds:.1f} CPU-s, {memory:.0f} MB, {found_all}")


def bench_time(files):
    """CPU time of a picture from its bytes to all measures and hashes."""
    measures = usual_measures(OPTIONS)
    large = io.BytesIO()
    Picture(LocalFile(str(files[0]))).image().resize((4000, 3000)).save(large, "JPEG", quality=90)
    jpegs = [file.read_bytes() for file in files if file.suffix.lower() in {".jpg", ".jpeg"}]
    for name, datas, repeat in (("640 px", jpegs[:50], 3), ("12 Mpx", [large.getvalue()], 15)):
        best = []
        for _ in range(repeat):
            start = time.process_time()
            for data in datas:
                picture = DecodedPicture.of(Picture(InlineBytes(data, "photo")))
                for measure in measures:
                    measure.measure(picture)
                hashes_of(picture)
                page_of(picture)
            best.append((time.process_time() - start) / len(datas))
        print(f"{name}: {1000 * min(best):.1f} CPU-ms for decoding, {len(measures)} measures and both hashes")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, nargs="*", default=FOLDERS)
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--only-pairs", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only_pairs:
        bench_pairs(given.pairs)
        return
    folders = [folder for folder in given.photos if folder.is_dir()]
    if not folders:
        sys.exit(f"there are no photos at {', '.join(map(str, given.photos))}: name folders with --photos")
    files = photos(folders)
    bench_time(files)
    subprocess.run([sys.executable, __file__, "--only-pairs", "--pairs", str(given.pairs)], check=True)
    bench_recall([Picture(LocalFile(str(file))).image() for file in files])
    bench_worse(photos([folder for folder in folders if "skimage" not in folder.name]))


if __name__ == "__main__":
    main()
