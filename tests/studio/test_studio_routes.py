"""What the studio's page does, as HTTP requests."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from processes import cutline_here
from studio_process import start_studio, stop_studio, wait_until_open


def captions(studio: Any) -> list[str]:
    rows = studio.call("POST", "rows", {"rows": list(range(12))})
    return [row["caption"] for row in rows]


def test_an_edit_is_previewed_applied_and_undone_after_a_restart(own_studio: Any) -> None:
    studio = own_studio
    edit = {"kind": "replace", "old": "cat", "new": "dog", "word": True}
    found = studio.call("POST", "preview", {"edit": edit, "scope": {"query": '-"number 3"'}})
    assert (found["scope"], found["changed"]) == (11, 7)
    changes = studio.call("GET", f"preview/{found['preview']}?start=1&count=2")
    assert changes[0] == {
        "row": 1,
        "key": "01.jpg",
        "before": "a cat on a mat, number 1",
        "after": "a dog on a mat, number 1",
    }
    assert "dog" not in "".join(filter(None, captions(studio)))
    result = studio.job("POST", "apply", {"preview": found["preview"], "without": [0]})
    assert (result["written"], result["conflicts"]) == (6, [])
    assert [caption for caption in captions(studio)[:4] if "dog" in caption] == [
        "a dog on a mat, number 1",
        "a dog on a mat, number 2",
    ]
    stop_studio(studio)
    again = wait_until_open(start_studio(studio.folder))
    assert (
        again.call("GET", "history")[0]["summary"]
        == "replace 'cat' by 'dog' (whole words) where -\"number 3\""
    )
    assert again.job("POST", "undo")["written"] == 6
    assert "dog" not in "".join(filter(None, captions(again)))
    assert again.call("POST", "undo") == {"job": None}
    stop_studio(again)


def test_marks_are_set_found_and_undone(studio: Any) -> None:
    studio.call("POST", "marks", {"rows": [1, 2], "mark": "done"})
    assert len(studio.call("GET", "find?q=status:done")) == 2 * 4
    studio.job("POST", "undo")
    assert studio.call("GET", "find?q=status:done") == b""


def test_sets_of_rows_are_kept_and_found_by_every_command(studio: Any) -> None:
    binary = np.array([2, 0, 2], "<i4").tobytes()
    kept = studio.call("PUT", "sets/lasso-1", binary, headers={"Content-Type": "application/octet-stream"})
    assert kept == {"lasso-1": 2}
    assert studio.call("PUT", "sets/my%20pick", {"rows": [7, 1]}) == {"my pick": 2, "lasso-1": 2}
    assert len(studio.call("PUT", "sets/lasso-2", {"query": "missing: OR in:lasso-1"})) == 3
    assert studio.call("GET", "sets") == {"lasso-2": 6, "my pick": 2, "lasso-1": 2}
    found = studio.call("GET", 'find?q=in:lasso-1%20OR%20in:"my%20pick"')
    assert np.frombuffer(found, "<u4").tolist() == [0, 1, 2, 7]
    scope = {"query": "in:lasso-1 -any:zero"}
    edit = {"kind": "replace", "old": "cat", "new": "dog"}
    assert studio.call("POST", "preview", {"edit": edit, "scope": scope})["changed"] == 2
    assert studio.call("POST", "words", {"scope": scope})["terms"][0]["pictures"] == 2
    assert cutline_here("find", studio.folder, "in:lasso-1").stdout == "00.jpg\n02.jpg\n"
    assert (
        "there is no set lasso; did you mean lasso-" in cutline_here("find", studio.folder, "in:lasso").stderr
    )
    changed = cutline_here("edit", studio.folder, "--where", 'in:"my pick"', "--replace", "cat", "ox")
    assert changed.stderr.startswith("2 of 2 captions changed")
    assert studio.call("DELETE", "sets/my%20pick") == {"lasso-2": 6, "lasso-1": 2}
    for method, path, body, kind, status, message in (
        ("PUT", "lasso-1", b"abc", "application/octet-stream", 422, "a multiple of 4 bytes"),
        ("PUT", "lasso-1", b"\xff\xff\xff\xff", "application/octet-stream", 404, "no such row"),
        ("PUT", "lasso-1", {"row": 1}, "application/json", 422, "row"),
        ("PUT", "lasso-1", {"rows": [99]}, "application/json", 404, "no such row"),
        ("PUT", "lasso-1", {"query": "(x"}, "application/json", 422, "not closed"),
        ("PUT", "a%2Fb", {"rows": [1]}, "application/json", 422, "cannot name a set"),
        ("DELETE", "lassos", None, "application/json", 422, "did you mean lasso-"),
    ):
        headers = {"Content-Type": kind}
        answer = studio.call(method, f"sets/{path}", body, status=status, headers=headers)
        assert message in answer["detail"]


def test_a_request_names_more_rows_than_a_service_takes(studio: Any) -> None:
    rows = list(range(12)) * 2000
    edit = {"kind": "replace", "old": "cat", "new": "dog"}
    assert studio.call("POST", "preview", {"edit": edit, "scope": {"rows": rows}})["scope"] == 12
    assert studio.call("PUT", "sets/all", {"rows": rows})["all"] == 12


def test_mistakes_are_answered_with_their_place_or_cure(studio: Any) -> None:
    wrong = studio.call("GET", "find?q=(cat", status=422)
    assert wrong == {"detail": "this bracket is not closed", "start": 0, "end": 1}
    bad = {"edit": {"kind": "replace", "old": "(", "new": "", "regex": True}}
    assert "not valid" in studio.call("POST", "preview", bad, status=422)["detail"]
    assert "kind" in studio.call("POST", "preview", {"edit": {"kind": "x"}}, status=422)["detail"]
    assert (
        "no row" in studio.call("PUT", "captions/99", {"caption": "", "before": None}, status=404)["detail"]
    )
    assert "mark must be" in studio.call("POST", "marks", {"rows": [1], "mark": "x"}, status=422)["detail"]
    assert "make it again" in studio.call("POST", "apply", {"preview": 9}, status=404)["detail"]


def test_exports_are_made_beside_the_dataset_and_downloaded(own_studio: Any) -> None:
    studio = own_studio  # without --root
    places = studio.folder.parent
    result = studio.job("POST", "export", {"scope": {"query": '-"number 3"'}})
    assert (result["output"], result["missing"]) == (str(places / "photos-export.zip"), 4)
    number = studio.call("GET", "jobs")[-1]["job"]
    with zipfile.ZipFile(io.BytesIO(studio.call("GET", f"export/{number}"))) as archive:
        assert len(archive.namelist()) == result["written"] + 1 == 8
        assert archive.read("01.jpg") == (studio.folder / "01.jpg").read_bytes()
    folder = {"scope": {"rows": [0, 9]}, "format": "imagefolder", "output": "train", "empty": True}
    assert studio.job("POST", "export", folder)["is_file"] is False
    assert (places / "train" / "09.jpg").exists()
    assert "is a folder" in studio.call("GET", f"export/{number + 1}", status=409)["detail"]
    assert studio.job("POST", "export", {**folder, "overwrite": True})["written"] == 2
    texts = {"format": "texts", "output": "texts"}
    assert studio.job("POST", "export", texts)["is_file"] is False
    assert (places / "texts" / "01.txt").read_text() == (studio.folder / "01.txt").read_text().rstrip()
    (places / "mine.zip").write_bytes(b"mine")
    for output, overwrite, message in (
        ("../elsewhere.zip", False, "beside the dataset"),
        ("/tmp/elsewhere.zip", False, "beside the dataset"),
        (".profile", False, "full stop"),
        ("mine.zip", True, "was not made by this studio"),
    ):
        body = {"output": output, "overwrite": overwrite, "format": "zip"}
        status = 422 if output.startswith(".p") else 403
        assert message in studio.call("POST", "export", body, status=status)["detail"]
    assert (places / "mine.zip").read_bytes() == b"mine"
    assert studio.job("POST", "export", {"output": "mine.zip"}) is None
    assert "already exists" in studio.call("GET", "jobs")[-1]["problem"]
    assert studio.call("POST", "export", {"scope": {"query": "(cat"}}, status=422)["start"] == 0


def test_every_request_of_the_page_is_documented() -> None:
    root = Path(__file__).resolve().parents[2]
    page = (root / "docs/studio-http.md").read_text()
    documented = [path.split("/") for path in re.findall(r"^## \w+ /(\S+)$", page, re.MULTILINE)]
    sent = {
        re.sub(r"\$\{[^}]*\}", "{}", path)
        for module in (root / "src/cutline/studio/page").glob("*.js")
        for path in re.findall(r"[\"`](studio/[^\"`?\n]*)", module.read_text())
    }
    assert len(sent) > 40

    def fits(path: str, parts: list[str]) -> bool:
        own = path.split("/")
        return len(own) == len(parts) and all(
            a == b or "{" in a or "{" in b for a, b in zip(own, parts, strict=True)
        )

    assert not [path for path in sent if not any(fits(path, parts) for parts in documented)]
