"""The picture, its caption and the grid in the browser: nothing that is typed is lost or goes astray."""

from __future__ import annotations

import array
import contextlib
import os
import resource
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import expect

from cutline import Dataset, EditInfo
from processes import wait_until
from studio_process import PATIENCE, start_studio, stop_studio

PICTURES = 24


def caption(number: int) -> str:
    return f"long hair, red cat, picture {number}"


@pytest.fixture
def photos(new_folder: Path, root: Path) -> Path:
    """Pictures with captions that are lists of tags; the last two have none."""
    folder = new_folder / "photos"
    folder.mkdir()
    picture = root / "picture.jpg"
    if not picture.exists():
        Image.new("RGB", (1600, 900), (200, 90, 60)).save(picture)
    for number in range(PICTURES):
        (folder / f"{number:02}.jpg").hardlink_to(picture)
        if number < PICTURES - 2:
            (folder / f"{number:02}.txt").write_text(f"{caption(number)}\n")
    return folder


def show(page: Any, number: int) -> Any:
    """Move to a picture; its caption's field."""
    page.keyboard.press("Escape")
    page.keyboard.press("Home")
    for _ in range(number):
        page.keyboard.press("ArrowRight")
    field = page.get_by_role("textbox", name="Caption", exact=True)
    expect(field).to_have_value(caption(number) if number < PICTURES - 2 else "")
    expect(field).to_be_editable()
    return field


def axe_finds_nothing(page: Any) -> None:
    found = Axe().run(page)
    assert not found.violations_count, found.generate_report()


def test_the_picture_is_zoomed_by_keys_wheel_and_double_click_and_dragged(page: Any) -> None:
    image = page.locator(".editor .view img")
    expect(image).to_have_js_property("naturalWidth", 1600)
    fitting = image.bounding_box()["width"]
    page.keyboard.press("z")
    wait_until(lambda: image.bounding_box()["width"] == 1600)
    before = image.bounding_box()["x"]
    page.keyboard.press("Alt+ArrowRight")
    wait_until(lambda: image.bounding_box()["x"] < before)
    view = page.locator(".editor .view").bounding_box()
    middle = view["x"] + view["width"] / 2, view["y"] + view["height"] / 2
    before = image.bounding_box()["x"]
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] + 60, middle[1])
    page.mouse.up()
    wait_until(lambda: abs(image.bounding_box()["x"] - before - 60) < 2)
    page.keyboard.press("z")
    wait_until(lambda: image.bounding_box()["width"] == fitting)
    page.mouse.wheel(0, -100)
    wait_until(lambda: fitting < image.bounding_box()["width"] < 1600)
    page.keyboard.press("-")
    wait_until(lambda: image.bounding_box()["width"] == fitting)
    page.mouse.dblclick(*middle)
    wait_until(lambda: image.bounding_box()["width"] == 1600)
    page.get_by_role("button", name="Fit", exact=True).click()
    wait_until(lambda: image.bounding_box()["width"] == fitting)


def test_the_neighbours_lead_to_their_pictures(page: Any) -> None:
    show(page, 2)
    page.get_by_role("button", name="After: 04.jpg").click()
    expect(page.get_by_role("textbox", name="Caption", exact=True)).to_have_value(caption(4))
    page.get_by_role("button", name="Before: 03.jpg").click()
    expect(page.locator(".cell.cursor")).to_have_attribute("title", "03.jpg")


def test_moving_on_while_typing_writes_nothing_to_a_neighbour(page: Any, studio: Any) -> None:
    field = show(page, 5)
    field.focus()
    field.press("End")
    page.keyboard.type(" mine")
    for _ in range(6):
        page.keyboard.down("ArrowDown")  # held: moves the caret only
    page.keyboard.up("ArrowDown")
    expect(page.locator(".cell.cursor")).to_have_attribute("title", "05.jpg")
    page.keyboard.down("Control")
    for _ in range(8):
        page.keyboard.down("ArrowDown")
    page.keyboard.up("ArrowDown")
    page.keyboard.up("Control")
    expect(page.locator(".cell.cursor")).to_have_attribute("title", "13.jpg")
    expect(field).to_have_value(caption(13))
    page.keyboard.press("Control+z")  # of the field: it must not bring back another picture's text
    expect(field).to_have_value(caption(13))
    page.keyboard.press("Control+ArrowUp")
    expect(field).to_have_value(caption(12))
    wait_until(lambda: (studio.folder / "05.txt").read_text() == f"{caption(5)} mine\n")
    page.keyboard.press("Escape")
    texts = {number: (studio.folder / f"{number:02}.txt").read_text() for number in range(4, 16)}
    del texts[5]
    assert texts == {number: f"{caption(number)}\n" for number in texts}


def test_what_a_picture_shows_is_suggested_as_a_tag(page: Any, studio: Any, shared_data: Path) -> None:
    pytest.importorskip("efficientnet_lite_pytorch", reason="needs the extra objects")
    (studio.folder / "03.jpg").unlink()
    shutil.copy(shared_data / "photos-coco/images/000000252639.jpg", studio.folder / "03.jpg")
    show(page, 3)
    page.keyboard.press("t")
    seen = page.get_by_role("button", name="+ bus")
    expect(seen).to_be_visible(timeout=120_000)  # the network is loaded first
    seen.click()
    expect(seen).to_be_hidden()
    page.keyboard.press("Escape")
    wait_until(lambda: (studio.folder / "03.txt").read_text() == f"{caption(3)}, bus\n")
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_text("02.jpg", exact=True)).to_be_visible()
    expect(page.get_by_text("In the picture:")).to_be_hidden()


def test_tags_are_completed_inside_words_the_most_frequent_first(page: Any, studio: Any) -> None:
    studio.call("PUT", "captions/0", {"caption": "hairpin, short hair", "before": caption(0)})
    show(page, 3)
    page.keyboard.press("t")
    page.keyboard.press("Enter")
    field = page.get_by_role("combobox", name="Add a tag")
    page.keyboard.type("hai")
    options = page.locator("#suggestions li span:first-child")
    expect(options).to_have_text(["hairpin", "short hair"])  # this picture has the most frequent one
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#suggestions").get_by_role("option", name="short hair")).to_have_attribute(
        "aria-selected", "true"
    )
    page.keyboard.press("Enter")
    page.keyboard.type("irp")
    expect(options).to_have_text(["hairpin"])
    page.keyboard.press("Tab")
    page.keyboard.type("cat")
    expect(page.locator("#suggestions")).to_be_hidden()  # it is there already
    page.keyboard.type(" photo, picture")
    expect(page.locator("#suggestions")).to_be_hidden()
    field.fill("pict")
    expect(options.first).to_have_text("picture 1")
    axe_finds_nothing(page)
    page.keyboard.press("Escape")
    expect(page.locator("#suggestions")).to_be_hidden()
    expect(field).to_be_focused()
    page.keyboard.press("Enter")
    expected = f"{caption(3)}, short hair, hairpin, pict\n"
    wait_until(lambda: (studio.folder / "03.txt").read_text() == expected)
    tags = studio.call("GET", "tags?text=hair&limit=2")
    assert tags[0]["tag"] == "long hair"
    assert tags[0]["count"] > tags[1]["count"]


def test_quick_phrases_are_toggled_by_keys_and_kept_with_the_dataset(page: Any, studio: Any) -> None:
    field = show(page, 6)
    page.get_by_role("button", name="Quick phrases").click()
    page.get_by_role("textbox", name="Quick phrases").fill("best quality\nred cat\nA photo.")
    axe_finds_nothing(page)
    page.keyboard.press("Control+Enter")
    expect(field).to_be_focused()
    page.keyboard.press("Alt+1")
    expect(field).to_have_value(f"{caption(6)}, best quality")
    expect(page.get_by_role("button", name="1 best quality")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Alt+2")
    expect(field).to_have_value("long hair, picture 6, best quality")
    page.keyboard.press("Alt+1")
    expect(field).to_have_value("long hair, picture 6")
    expect(page.get_by_role("status")).to_have_text("Saved")
    assert (studio.folder / "06.txt").read_text() == "long hair, picture 6\n"
    page.reload()
    expect(page.get_by_role("button", name="3 A photo.")).to_be_visible()
    many = studio.call("PUT", "phrases", {"phrases": ["x"] * 10}, status=422)
    assert "at most 9" in many["detail"]
    assert studio.call("PUT", "phrases", {"phrases": []}) == []


def test_where_clip_no_longer_reads_is_marked_in_the_text(page: Any) -> None:
    field = show(page, 7)
    expect(page.get_by_role("region", name="Caption")).to_contain_text("6 words · 29 characters")
    field.fill("house " * 75 + "and then the tail")
    mark = page.locator(".mirror mark")
    expect(mark).to_have_text(" and then the tail")
    axe_finds_nothing(page)
    field.press("End")
    page.keyboard.type(" wags")
    expect(mark).to_have_text(" and then the tail wags")
    field.fill(caption(7))
    expect(mark).to_have_count(0)


def test_a_character_that_an_encoding_lacks_is_told(studio: Any, page: Any) -> None:
    file = studio.folder / "03.txt"
    french = "un café très noir à Paris"
    field = show(page, 3)
    file.write_bytes(french.encode("cp1252"))
    expect(field).to_have_value(french)
    notice = page.locator(".editor .notice")
    expect(notice).to_contain_text("in cp1252, which edits keep")
    field.press("Control+End")
    field.press_sequentially(" €")
    wait_until(lambda: file.read_bytes() == f"{french} €".encode("cp1252"))
    expect(notice).to_contain_text("in cp1252, which edits keep")
    field.press_sequentially(" 猫")
    wait_until(lambda: file.read_bytes() == f"{french} € 猫".encode())
    expect(notice).to_contain_text("in UTF-8 now, and was in cp1252")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+z")
    expect(notice).to_contain_text("in cp1252, which edits keep")
    assert file.read_bytes() == f"{french} €".encode("cp1252")


def test_what_is_typed_behind_finish_is_the_next_pictures_however_slow_the_server_is(
    browser: Any, own_studio: Any
) -> None:
    page = browser.new_page()
    page.goto(own_studio.url)
    page.wait_for_selector(".cell")
    show(page, 4).focus()
    own_studio.process.send_signal(signal.SIGSTOP)
    for text in (" one", " two", " three"):
        page.keyboard.press("Control+End")
        page.keyboard.type(text)
        page.keyboard.press("Control+Enter")
    own_studio.process.send_signal(signal.SIGCONT)
    for number, text in ((4, " one"), (5, " two"), (6, " three")):
        file = own_studio.folder / f"{number:02}.txt"
        wait_until(
            lambda file=file, text=text, number=number: file.read_text() == f"{caption(number)}{text}\n"
        )
    expect(page.get_by_role("img", name="done")).to_have_count(3)
    expect(page.get_by_role("textbox", name="Caption")).to_have_value(caption(7))
    page.close()


def test_a_text_that_cannot_be_saved_stays_and_is_saved_later(browser: Any, own_studio: Any) -> None:
    page = browser.new_page()
    page.goto(own_studio.url)
    page.wait_for_selector(".cell")
    field = show(page, 4)
    _, most = resource.prlimit(own_studio.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(own_studio.process.pid, resource.RLIMIT_FSIZE, (0, most))  # as a full disk
    field.fill("kept until there is room")
    status = page.get_by_role("status")
    expect(status).to_contain_text("Not saved: cannot")
    page.keyboard.press("Control+ArrowDown")
    expect(field).to_have_value(caption(5))
    page.get_by_role("button", name="Not saved: 04.jpg").click()
    expect(field).to_have_value("kept until there is room")
    field.press("Control+Enter")
    expect(page.locator(".cell.cursor")).to_have_attribute("title", "04.jpg")  # it stays in sight
    expect(status).to_contain_text("Not saved: cannot")
    expect(page.get_by_role("img", name="done")).to_have_count(0)
    assert (own_studio.folder / "04.txt").read_text() == f"{caption(4)}\n"
    resource.prlimit(own_studio.process.pid, resource.RLIMIT_FSIZE, (most, most))
    expect(status).to_have_text("Saved")
    assert (own_studio.folder / "04.txt").read_text() == "kept until there is room\n"
    field = show(page, PICTURES - 2)  # without a caption, as the next one
    own_studio.process.kill()
    own_studio.process.wait(PATIENCE)
    down = page.get_by_role("alert").filter(has_text="The studio does not respond")
    expect(down).to_be_visible()  # nobody has typed
    field.fill("kept until it is back")
    expect(status).to_contain_text("Not saved: the studio does not respond")
    (own_studio.folder / "000.jpg").hardlink_to(own_studio.folder / "00.jpg")  # all rows have other numbers
    again = start_studio(own_studio.folder, port=int(own_studio.url.rpartition(":")[2]))
    wait_until((own_studio.folder / f"{PICTURES - 2}.txt").exists)
    assert (own_studio.folder / f"{PICTURES - 2}.txt").read_text() == "kept until it is back"
    expect(page.locator(".cell.cursor")).to_have_attribute("title", f"{PICTURES - 2}.jpg")
    expect(field).to_have_value("kept until it is back")
    expect(down).to_have_count(0)
    assert not (own_studio.folder / f"{PICTURES - 1}.txt").exists()
    assert len(again.call("GET", "history")) == 2
    page.close()
    stop_studio(again)


def test_a_bulk_edit_that_finds_no_room_changes_nothing_and_names_the_cause(own_studio: Any) -> None:
    before = {path.name: path.read_bytes() for path in own_studio.folder.iterdir()}
    edit = {"edit": {"kind": "suffix", "text": "word " * 10_000}}
    _, most = resource.prlimit(own_studio.process.pid, resource.RLIMIT_FSIZE)
    for size in (0, 20_000, 100_000):
        resource.prlimit(own_studio.process.pid, resource.RLIMIT_FSIZE, (size, most))
        preview = own_studio.call("POST", "preview", edit)["preview"]
        assert own_studio.job("POST", "apply", {"preview": preview}) is None
        problem = own_studio.call("GET", "jobs")[-1]["problem"]
        assert "damaged" not in problem
        assert "cannot write" in problem
    assert {path.name: path.read_bytes() for path in own_studio.folder.iterdir()} == before
    resource.prlimit(own_studio.process.pid, resource.RLIMIT_FSIZE, (most, most))
    preview = own_studio.call("POST", "preview", edit)["preview"]
    assert own_studio.job("POST", "apply", {"preview": preview})["written"] == PICTURES - 2
    own_studio.job("POST", "undo", {})
    assert {path.name: path.read_bytes() for path in own_studio.folder.iterdir()} == before


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[Sequence[str]]:
    """A command that runs another one for which nothing can be written below a folder."""
    if os.geteuid():
        modes = {path: path.stat().st_mode for path in (folder, *folder.rglob("*")) if path.is_dir()}
        for path in modes:
            path.chmod(0o555)
        yield ()
        for path, mode in modes.items():
            path.chmod(mode)
        return
    mount = f"mount --bind {folder} {folder} && mount -o remount,ro,bind {folder}"
    probe = subprocess.run(["unshare", "-m", "sh", "-c", mount], check=False, capture_output=True)
    if probe.returncode:
        pytest.skip("root can write everywhere, and may not mount here")
    yield ("unshare", "-m", "sh", "-c", f'{mount} && exec "$@"', "sh")


@pytest.mark.parametrize("has_history", [False, True])
def test_nothing_is_lost_where_nothing_can_be_written(browser: Any, photos: Path, has_history: bool) -> None:
    if has_history:
        with Dataset(os.fspath(photos)) as dataset:
            dataset.set_captions({0: "an edit before"}, EditInfo(kind="save", summary="edit 00.jpg"))
    before = {path.name: path.read_bytes() for path in photos.iterdir()}
    places = (photos.parent, photos) if has_history else (photos.parent,)
    for place in places:  # the folder alone, or with the place of its history
        with read_only(place) as wrapper:
            studio = start_studio(photos, wrapper=wrapper)
            page = browser.new_page()
            page.goto(studio.url)
            page.wait_for_selector(".cell")
            field = show(page, 1)
            field.fill("kept although it cannot be saved")
            status = page.get_by_role("status")
            expect(status).to_contain_text("Not saved: cannot write")
            page.keyboard.press("Control+ArrowDown")
            page.keyboard.press("Control+ArrowUp")
            expect(field).to_have_value("kept although it cannot be saved")
            page.close(run_before_unload=False)
            stop_studio(studio)
        assert {path.name: path.read_bytes() for path in photos.iterdir()} == before


def test_what_another_program_changes_is_shown_and_drafts_stay(page: Any, studio: Any) -> None:
    field = show(page, 1)
    (studio.folder / "01.txt").write_text("changed elsewhere\n")
    expect(field).to_have_value("changed elsewhere")
    expect(page.locator(".cell").nth(1)).to_contain_text("changed elsewhere")
    assert len(studio.call("GET", "find?q=elsewhere")) == 4
    (studio.folder / "02.txt").write_text("theirs\n")
    page.locator(".cell").nth(2).click()
    field.fill("mine")
    expect(page.get_by_role("region", name="Two texts")).to_contain_text("theirs")
    (studio.folder / "02.txt").write_text("theirs again\n")
    expect(page.get_by_role("region", name="Two texts")).to_contain_text("theirs again")
    expect(field).to_have_value("mine")
    page.get_by_role("button", name="Keep mine").click()
    wait_until(lambda: (studio.folder / "02.txt").read_text() == "mine\n")


def test_two_tabs_on_one_caption_show_both_texts(page: Any, studio: Any) -> None:
    other = page.context.new_page()
    other.goto(studio.url)
    other.wait_for_selector(".cell")
    mine, theirs = show(page, 3), show(other, 3)
    held: list[Any] = []
    page.route("**/studio/captions/3", lambda route: held.append(route))  # noqa: PLW0108 - no builtin
    mine.fill(f"mine, {caption(3)}")
    theirs.fill(f"{caption(3)}, theirs")
    expect(other.get_by_role("status")).to_have_text("Saved")
    expect(page.get_by_role("status")).to_have_text("Saving")
    held[0].continue_()
    page.unroute("**/studio/captions/3")
    expect(page.get_by_role("status")).to_contain_text("Not saved: changed by another program")
    page.get_by_role("button", name="Merge").click()
    page.get_by_role("button", name="Save merged").click()
    merged = f"mine, {caption(3)}, theirs"
    expect(mine).to_have_value(merged)
    expect(theirs).to_have_value(merged)
    wait_until(lambda: (studio.folder / "03.txt").read_text() == f"{merged}\n")


def test_of_two_long_texts_every_button_is_in_sight(page: Any, studio: Any) -> None:
    page.set_viewport_size({"width": 1280, "height": 720})
    field = show(page, 3)
    field.fill(f"{caption(3)}, mine")
    expect(page.get_by_role("status")).to_have_text("Saved")
    (studio.folder / "03.txt").write_text(f"{caption(3)}, {'a long sentence about it. ' * 20}")
    field.fill(f"{caption(3)}, mine, {'of another day. ' * 20}")
    panel = page.get_by_role("region", name="Two texts")
    expect(panel).to_be_visible()
    for name in ("Keep mine", "Take theirs", "Merge"):
        expect(panel.get_by_role("button", name=name)).to_be_in_viewport(ratio=1)
    panel.get_by_role("button", name="Merge").press("Enter")
    expect(panel.get_by_role("button", name="Save merged")).to_be_in_viewport(ratio=1)
    expect(panel.get_by_role("button", name="Save merged")).to_be_focused()
    axe_finds_nothing(page)


def test_what_stands_in_the_place_of_a_text_is_named_with_the_cure(page: Any, studio: Any) -> None:
    field = show(page, 4)
    (studio.folder / "04.txt").unlink()
    (studio.folder / "04.txt").mkdir()
    field.fill("mine")
    expect(page.get_by_role("status")).to_contain_text(
        "it is a folder; rename it, as the caption has that name"
    )
    expect(field).to_have_value("mine")


def test_files_of_several_lines_keep_their_form(page: Any, studio: Any) -> None:
    (studio.folder / "08.txt").write_bytes("\ufefffirst line\r\nsecond line\r\n".encode())
    page.locator(".cell").nth(8).click()
    field = page.get_by_role("textbox", name="Caption", exact=True)
    expect(field).to_have_value("first line\nsecond line")
    expect(field).to_be_editable()
    page.keyboard.press("Enter")
    page.keyboard.press("Control+End")
    page.keyboard.press("Enter")
    page.keyboard.type("third")
    expect(page.get_by_role("status")).to_have_text("Saved")
    content = "\ufefffirst line\r\nsecond line\r\nthird\r\n".encode()
    assert (studio.folder / "08.txt").read_bytes() == content


def test_a_filter_while_typing_moves_no_text_and_keys_type_letters(page: Any, studio: Any) -> None:
    field = show(page, 9)
    page.keyboard.press("Enter")
    page.keyboard.press("End")
    page.keyboard.type(" jUdFtGaRcEhz?/-+ ")  # letters of commands
    page.keyboard.press("/")
    page.locator(".bar input[type=search]").fill('"picture 1" OR "picture 2"')
    expect(page.locator(".cell")).to_have_count(2)
    expect(field).to_have_value(caption(1))
    wait_until(lambda: "jUdF" in (studio.folder / "09.txt").read_text())
    assert (studio.folder / "09.txt").read_text() == f"{caption(9)} jUdFtGaRcEhz?/-+ /\n"
    page.locator(".bar input[type=search]").fill("red")
    expect(page.locator(".bar .count").first).to_have_text(f"{PICTURES - 2} of {PICTURES}")
    page.keyboard.press("Escape")
    field = show(page, 0)
    field.fill("no longer found")
    expect(page.get_by_role("status")).to_have_text("Saved")
    expect(page.locator(".cell.left")).to_have_count(1)
    field.press("End")
    page.keyboard.type(", mine")
    expect(field).to_have_value("no longer found, mine")
    assert studio.call("GET", "find?q=status:done OR status:flagged".replace(" ", "%20")) == b""
    texts = [(studio.folder / f"{number:02}.txt").read_text() for number in (1, 2, 10)]
    assert texts == [f"{caption(number)}\n" for number in (1, 2, 10)]


def test_thumbnails_have_three_sizes_that_are_remembered_and_a_colour_until_they_come(
    page: Any, studio: Any
) -> None:
    cells = page.locator(".cell")
    widths = [cells.first.bounding_box()["width"]]
    page.keyboard.press("s")
    wait_until(lambda: cells.first.bounding_box()["width"] > widths[0])
    widths.append(cells.first.bounding_box()["width"])
    page.get_by_role("button", name="Small thumbnails").click()
    wait_until(lambda: cells.first.bounding_box()["width"] < widths[0])
    axe_finds_nothing(page)
    page.reload()
    page.wait_for_selector(".cell")
    assert cells.first.bounding_box()["width"] < widths[0]
    expect(cells.nth(1).locator("img")).to_have_js_property("complete", value=True)
    color = bytes.fromhex(studio.call("POST", "rows", {"rows": [1]})[0]["color"][1:])
    assert all(abs(found - drawn) < 4 for found, drawn in zip(color, (200, 90, 60), strict=True))


def test_a_million_rows_are_scrolled_and_what_is_scrolled_past_is_not_loaded(page: Any) -> None:
    rows = 1_000_000
    requested: list[list[int]] = []

    def answer(route: Any) -> None:
        numbers = orjson.loads(route.request.post_data)["rows"]
        requested.append(numbers)
        known = {"marks": [], "proposal": None, "failure": None, "problem": "", "color": "#336699"}
        found = [{"row": row, "key": f"{row}.jpg", "caption": f"text {row}", **known} for row in numbers]
        route.fulfill(json=found)

    numbers = array.array("I", range(rows)).tobytes()
    thumbnails: list[str] = []
    page.route("**/studio/find*", lambda route: route.fulfill(body=numbers))
    page.route("**/studio/rows", answer)
    page.route("**/studio/refresh", lambda route: route.fulfill(json=[]))
    page.route("**/studio/thumbnails/*", lambda route: thumbnails.append(route.request.url) or route.abort())
    page.route("**/studio/pictures/*", lambda route: route.abort())
    page.reload()
    expect(page.locator(".cell").first).to_contain_text("text 0")
    page.keyboard.press("End")
    expect(page.locator(".cell.cursor")).to_contain_text(f"text {rows - 1}")
    page.keyboard.press("Home")
    expect(page.locator(".cell.cursor")).to_contain_text("text 0")
    begin = page.locator(".cell.cursor").bounding_box()
    page.mouse.move(begin["x"] + 50, begin["y"] + 50)
    for _ in range(20):  # as a touch pad does, in small steps
        page.mouse.wheel(0, 10)
    wait_until(lambda: page.locator(".cell.cursor").bounding_box()["y"] <= begin["y"] - 180)
    assert page.locator(".cell.cursor").bounding_box()["y"] >= begin["y"] - 220
    page.locator(".grid").evaluate("grid => { grid.scrollTop = 0; }")
    thumbnails.clear()
    page.locator(".grid").evaluate(
        "async (grid) => { for (let step = 1; step <= 40; step += 1) {"
        " grid.scrollTop = step * 150000; await new Promise(requestAnimationFrame); } }"
    )
    expect(page.locator(".cell").nth(8)).to_contain_text("text ")
    expect(page.locator(".cell .stand-in")).to_have_count(0)
    assert len(thumbnails) < 200
    assert max(map(len, requested)) <= 500
    assert sum(map(len, requested)) < 30_000


def test_what_is_picked_is_taken_back_between_edits_in_the_order_of_time(page: Any, studio: Any) -> None:
    show(page, 1)
    undo, redo = (lambda: page.keyboard.press("Control+z")), (lambda: page.keyboard.press("Control+Shift+z"))
    page.keyboard.press("Space")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    expect(page.get_by_text("3 picked")).to_be_visible()
    page.keyboard.press("d")
    done = page.get_by_role("img", name="done")
    expect(done).to_have_count(3)
    expect(page.get_by_role("button", name="Undo")).to_be_enabled()
    page.keyboard.press("Control+a")
    expect(page.get_by_text(f"{PICTURES} picked")).to_be_visible()
    undo()
    expect(page.get_by_text("3 picked")).to_be_visible()
    expect(done).to_have_count(3)
    undo()
    expect(done).to_have_count(0)
    expect(page.get_by_text("3 picked")).to_be_visible()
    undo()
    expect(page.get_by_text("1 picked")).to_be_visible()
    undo()
    expect(page.get_by_text("picked")).to_have_count(0)
    redo()
    redo()
    expect(page.get_by_text("3 picked")).to_be_visible()
    expect(page.get_by_text("Selected again: 3.")).to_be_visible()
    redo()
    expect(done).to_have_count(3)
    redo()
    expect(page.get_by_text(f"{PICTURES} picked")).to_be_visible()
    assert len(studio.call("GET", "history")) == 3
