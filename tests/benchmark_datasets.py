"""CrisisMMD and ScienceQA in small, as wild as the real ones: made again wherever a test needs them."""

from __future__ import annotations

import io
import json
from pathlib import Path

from PIL import Image, ImageDraw

from cutline.errors import PictureError

SPLIT = [
    "event_name",
    "tweet_id",
    "image_id",
    "tweet_text",
    "image",
    "label",
    "label_text",
    "label_image",
    "label_text_image",
]
DAMAGE = ["event_name", "tweet_id", "image_id", "tweet_text", "image", "label"]
FINAL = [
    "tweet_id",
    "image_id",
    "text_info",
    "text_info_conf",
    "image_info",
    "image_info_conf",
    "text_human",
    "text_human_conf",
    "image_human",
    "image_human_conf",
    "image_damage",
    "image_damage_conf",
    "tweet_text",
    "image_url",
    "image_path",
]
TWEETS = (
    'He said "run" and we ran',
    'A "quote that never ends #harvey',
    "RT @x: \N{WATER WAVE}\N{HOUSE BUILDING} flood 漢字 https://t.co/a1",
    "two\ttabs\tin a tweet",
    "it's 5' deep, 'they' say",
    "line separator \u2028 and \x85 stay within the line, as a \r does",
)
HARVEY, MEXICO = "hurricane_harvey", "mexico_earthquake"


def picture(number: int, form: str = "JPEG") -> bytes:
    """A picture unlike the others."""
    image = Image.new("RGB", (48, 36), (30 * number % 256, 90, 160))
    ImageDraw.Draw(image).ellipse((4, 4, 10 + number % 30, 30), fill=(220, 180, 40))
    file = io.BytesIO()
    image.save(file, form)
    return file.getvalue()


def image_path(event: str, number: int) -> str:
    return f"data_image/{event}/8_9_2017/90596009282200371{number}_0.jpg"


def tsv(header: list[str], rows: list[dict[str, str]], *, ends: str = "\n") -> bytes:
    lines = ["\t".join(header), *("\t".join(row.get(name, "") for name in header) for row in rows)]
    return "".join(line + ends for line in lines).encode()


def split_row(event: str, number: int, **values: str) -> dict[str, str]:
    tweet = f"90596009282200371{number}"
    return {
        "event_name": event,
        "tweet_id": tweet,
        "image_id": f"{tweet}_0",
        "tweet_text": TWEETS[number % len(TWEETS)],
        "image": image_path(event, number),
        "label": "not_humanitarian",
        "label_text": "not_humanitarian",
        "label_image": "vehicle_damage" if number % 2 else "affected_individuals",
        "label_text_image": "Negative",
        **values,
    }


def final_row(event: str, number: int) -> dict[str, str]:
    tweet = f"90596009282200371{number}"
    return {
        "tweet_id": tweet,
        "image_id": f"{tweet}_0",
        "text_info": "informative",
        "text_info_conf": "1.0",
        "image_info": "informative",
        "image_info_conf": "0.6851",
        "image_human": "vehicle_damage" if number % 2 else "",
        "tweet_text": TWEETS[number % len(TWEETS)],
        "image_url": f"http://pbs.twimg.example/{tweet}.jpg",
        "image_path": image_path(event, number),
    }


def make_crisismmd(root: Path, *, splits: str = "crisismmd_datasplit_all", missing: bool = True) -> Path:
    """Six pictures of two events, of which one may be missing; ``splits`` may lead beside the dataset."""
    for number, event in enumerate((HARVEY, HARVEY, HARVEY, HARVEY, MEXICO, MEXICO)):
        file = root / image_path(event, number)
        file.parent.mkdir(parents=True, exist_ok=True)
        if number != 3 or not missing:
            file.write_bytes(picture(number))
    (root / f"data_image/{HARVEY}/8_9_2017/._905960092822003710_0.jpg").write_bytes(b"\0\5\x16\7")
    notes, folder = root / "annotations", root / splits
    for place in (notes, folder):
        place.mkdir(parents=True, exist_ok=True)
    (notes / f"{HARVEY}_final_data.tsv").write_bytes(
        tsv(FINAL, [final_row(HARVEY, number) for number in (0, 1, 2, 3, 1)], ends="\r\n")
    )
    (notes / f"{MEXICO}_final_data.tsv").write_bytes(tsv(FINAL, [final_row(MEXICO, n) for n in (4, 5)]))
    (notes / f"._{HARVEY}_final_data.tsv").write_bytes(b"\0\5\x16\7\0\2")
    train = [split_row(HARVEY, n) for n in (0, 1, 2, 3)] + [split_row(HARVEY, 1), split_row(MEXICO, 4)]
    for task in ("informative", "humanitarian"):
        for part, rows in (("train", train), ("dev", [split_row(MEXICO, 5)]), ("test", train[:1])):
            ends = "\r\n" if part == "dev" else "\n"
            name = f"task_{task}_text_img_{part}.tsv"
            (folder / name).write_bytes(tsv(SPLIT, rows, ends=ends))
            (folder / f"._{name}").write_bytes(b"\0\5\x16\7\0\2")
    severe = [split_row(HARVEY, 1, label="severe_damage")]
    (folder / "task_damage_text_img_train.tsv").write_bytes(b"\xef\xbb\xbf" + tsv(DAMAGE, severe))
    return root


def problem(number: int, split: str, *, image: bool) -> dict[str, object]:
    return {
        "question": f'Which of these is "number {number}"? \N{LEDGER}\n\tChoose.',
        "choices": ["West Virginia", "Louisiana"],
        "answer": number % 2,
        "hint": "" if number % 3 else "Look at the map.",
        "image": "image.png" if image else None,
        "task": "closed choice",
        "grade": "grade2",
        "subject": "social science",
        "topic": "geography",
        "category": "Geography",
        "skill": "Read a map",
        "lecture": "Maps have four cardinal directions.",
        "solution": "To find the answer, look at the compass rose.",
        "split": split,
    }


def make_scienceqa(root: Path, *, missing: bool = True) -> Path:
    """Seven problems: two without a picture, one whose picture may be missing."""
    root.mkdir(parents=True, exist_ok=True)
    problems = {}
    splits = {"1": "train", "2": "train", "3": "train", "5": "val", "8": "val", "13": "test", "21": "test"}
    for pid, split in splits.items():
        number = int(pid)
        problems[pid] = problem(number, split, image=pid not in {"2", "13"})
        if pid not in {"2", "13"} and not (missing and pid == "21"):
            folder = root / "images" / split / pid
            folder.mkdir(parents=True)
            (folder / "image.png").write_bytes(picture(number, "PNG"))
            (folder / "._image.png").write_bytes(b"\0\5\x16\7")
    parts = {
        part: [pid for pid, split in splits.items() if split == part] for part in ("train", "val", "test")
    }
    parts |= {"trainval": parts["train"] + parts["val"], "minival": ["8"]}
    captions = {"1": "A map of the \N{EARTH GLOBE AMERICAS}.", "5": "A drawing of a dog."}
    files = {
        "problems.json": problems,
        "pid_splits.json": parts,
        "captions.json": {"model": "an-older-model", "max_length": 64, "captions": captions},
    }
    for name, value in files.items():
        (root / name).write_text(json.dumps(value, indent=2), "utf-8")
    return root


def outcome(sample):
    """What becomes of a sample: its problem, or whether its picture can be read."""
    if sample.problem:
        return sample.problem.kind
    try:
        sample.location.read()
    except PictureError as error:
        return error.kind
    return "picture"
