"""The objects of a JSON file that stand for pictures: an array, COCO's, or the one list of an object."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from cutline.imaging import EXTENSIONS
from cutline.sources.names import extension
from cutline.storage import is_http

_BETWEEN: Final = re.compile(r"[\s,]*")


def records_of(value: Any) -> list[Any] | None:
    """The records; None where there is none.

    A list of paths, and an object whose keys are pictures' names, are records too.

    Of COCO's, each image with its ``captions``, the first as ``caption``, and its number of annotations.
    """
    if isinstance(value, list):
        return [{"image": each} if isinstance(each, str) else each for each in value]
    if not isinstance(value, dict):
        return None
    if isinstance(value.get("images"), list) and isinstance(value.get("annotations"), list):
        return _coco(value["images"], value["annotations"])
    if value and all(_names_picture(name) for name in value):
        return [_named(name, each) for name, each in value.items()]
    lists = [
        each for each in value.values() if isinstance(each, list) and any(isinstance(i, dict) for i in each)
    ]
    return lists[0] if len(lists) == 1 else None


def concatenated(text: str) -> list[Any] | None:
    """Objects that follow each other, also over several lines or with commas between; None for others."""
    decoder, objects, at = json.JSONDecoder(), [], 0
    while found := _BETWEEN.match(text, at):
        if found.end() == len(text):
            break
        try:
            value, at = decoder.raw_decode(text, found.end())
        except (ValueError, RecursionError):
            return None
        if not isinstance(value, dict):
            return None
        objects.append(value)
    return objects or None


def _names_picture(name: str) -> bool:
    return is_http(name) or extension(name.rpartition("/")[2]) in EXTENSIONS


def _named(name: str, value: Any) -> dict[str, Any]:
    """The record of a picture whose name is a key: its fields, or its caption or captions."""
    if isinstance(value, dict):
        return {**value, "image": name}
    texts = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    own = {"caption": texts[0]} if texts and isinstance(texts[0], str) else {}
    return {"image": name, **own, **({"captions": texts} if len(texts) > 1 else {})}


def _coco(images: list[Any], annotations: list[Any]) -> list[Any]:
    captions: dict[Any, list[str]] = {}
    counts: dict[Any, int] = {}
    for each in annotations:
        if isinstance(each, dict) and isinstance(number := each.get("image_id"), int | str):
            counts[number] = counts.get(number, 0) + 1
            if isinstance(text := each.get("caption"), str):
                captions.setdefault(number, []).append(text)
    records = []
    for image in images:
        if isinstance(image, dict) and isinstance(number := image.get("id"), int | str):
            texts = captions.get(number, [])
            own = {"caption": texts[0], "captions": texts} if texts else {}
            records.append({**image, "annotation_count": counts.get(number, 0), **own})
        else:
            records.append(image)
    return records
