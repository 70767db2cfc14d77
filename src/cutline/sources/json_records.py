"""The objects of a JSON file that stand for pictures: an array, COCO's, or the one list of an object."""

from __future__ import annotations

from typing import Any


def records_of(value: Any) -> list[Any] | None:
    """The records; None where there is no list of objects.

    Of COCO's, each image with its ``captions``, the first as ``caption``, and its number of annotations.
    """
    if isinstance(value, list):
        return value
    if not isinstance(value, dict):
        return None
    if isinstance(value.get("images"), list) and isinstance(value.get("annotations"), list):
        return _coco(value["images"], value["annotations"])
    lists = [
        each for each in value.values() if isinstance(each, list) and any(isinstance(i, dict) for i in each)
    ]
    return lists[0] if len(lists) == 1 else None


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
