"""What a run remembers of why pictures failed."""

from __future__ import annotations

import json

from cutline.engine.failure_stats import FailureStats
from cutline.records import Failure


def _add(causes: FailureStats, message: str, *, key: str = "a.jpg", path: str = "photos/a.jpg") -> None:
    causes.add(Failure(key=key, kind="fetch", message=message), path)


def test_the_commonest_cause_is_found_among_any_number_of_others() -> None:
    causes = FailureStats()
    for number in range(5_000):
        _add(causes, f"trace t{number} ended: " + "x" * 10_000)
        if number % 4 == 0:
            _add(causes, "the server answered 404")
    first, second, *_ = causes.by_kind()["fetch"]
    assert first.message == "the server answered 404"
    assert 900 < first.count <= 1_250
    assert second.count == 1
    assert len(json.dumps(causes.to_json())) < 40_000, "memory is bounded"


def test_causes_go_on_where_an_earlier_run_left_them() -> None:
    causes = FailureStats()
    _add(causes, "photos/a.jpg: damaged JPEG")
    causes = FailureStats.from_json(json.loads(json.dumps(causes.to_json())))
    _add(causes, "photos/b.jpg: damaged JPEG", key="b.jpg", path="photos/b.jpg")
    [cause] = causes.by_kind()["fetch"]
    assert (cause.message, cause.count, cause.key, cause.exact) == ("damaged JPEG", 2, "a.jpg", True)


def test_a_message_without_the_name_of_its_picture() -> None:
    told = {
        "../photos/a.jpg: damaged JPEG": "damaged JPEG",
        "a.jpg: the file\n is empty": "the file is empty",
        "https://other.example/moved?…: the server answered 500": "the server answered 500",
        "KeyError: 'a.jpg'": "KeyError: 'a.jpg'",
        "data.jpg: not that picture": "data.jpg: not that picture",
        "a.jpg: ": "a.jpg:",
    }
    for message, shown in told.items():
        causes = FailureStats()
        _add(causes, message)
        assert causes.by_kind()["fetch"][0].message == shown


def test_messages_that_differ_in_numbers_are_one_cause_with_their_range() -> None:
    causes = FailureStats()
    for count in (44, 38, 1_043):
        _add(causes, f"the caption has more than 30 words: {count:,}", key=f"{count}.jpg")
    _add(causes, "the caption has fewer than 5 words: 3")
    causes = FailureStats.from_json(json.loads(json.dumps(causes.to_json())))
    _add(causes, "the caption has more than 30 words: 31")
    assert [(cause.message, cause.count) for cause in causes.by_kind()["fetch"]] == [
        ("the caption has more than 30 words: 31 to 1,043", 4),
        ("the caption has fewer than 5 words: 3", 1),
    ]


def test_numbers_that_name_something_keep_causes_apart() -> None:
    for text in ("the server returned {}", "HTTP {}", "no route to 127.0.0.1:{}", "the file v{}.bin is gone"):
        causes = FailureStats()
        for number in (404, 503):
            _add(causes, text.format(number))
        assert {cause.message for cause in causes.by_kind()["fetch"]} == {text.format(404), text.format(503)}
