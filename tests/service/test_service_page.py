"""The page at ``/`` as people use it: in a browser, by mouse and by keyboard, whatever files are called."""

from __future__ import annotations

import base64
import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from serving import Service, png

from pages import OpenPage, opened

HOSTILE = (
    "<img src=x onerror=alert(1)>.png",
    "\"><script>alert(2)<!-- -->' onload='alert(3).png",
    "\u202eright to left\u2066 &lt;b&gt;.png",
)
DONE = "document.querySelectorAll('.card.is-done').length"
ALL_DONE = (
    "document.querySelectorAll('.card').length > 0 && !document.querySelector('.is-waiting, .is-running')"
)
FOCUSED = "document.activeElement.id || document.activeElement.className || document.activeElement.tagName"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service("--model", "fake:slots=4", cwd=tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(7):
        (folder / f"{number}.png").write_bytes(png(number))
    return sorted(folder.iterdir())


def captions(page: OpenPage) -> dict[str, str]:
    """What stands on the page: the caption, or the reason, by the file's name."""
    found: dict[str, str] = page.evaluate(
        "Object.fromEntries([...document.querySelectorAll('.card')].map(card =>"
        " [card.querySelector('.file').textContent, card.querySelector('.words').textContent]))"
    )
    return found


def notice(page: OpenPage) -> str:
    """What the page objects to; without the marks that keep names apart from the words around them."""
    said: str = page.evaluate("document.querySelector('#notice').textContent")
    return said.replace("\u2068", "").replace("\u2069", "")


def say_instead(page: OpenPage, text: str) -> None:
    """Copies go to a variable of the page: a browser without a window has no clipboard to ask."""
    page.evaluate(
        "Object.defineProperty(navigator, 'clipboard', {value: {writeText: async text => {window.copied = text}}})"
    )
    page.evaluate(f"document.querySelector({text!r}).click()")


def test_chosen_pictures_get_the_captions_that_belong_to_them(
    browser: Any, service: Service, photos: list[Path]
) -> None:
    with opened(browser, service.url) as page:
        page.choose("#files", *photos)
        assert page.evaluate("document.querySelectorAll('.card img').length") == len(photos)
        page.until(ALL_DONE)
        shown = captions(page)
        sizes = page.evaluate("[...document.querySelectorAll('.shot img')].map(one => one.naturalWidth)")
        count = page.evaluate("document.querySelector('#count').textContent")
        model = page.evaluate("document.querySelector('#model').textContent")
    for photo in photos:
        told = service.client.post("/caption", files={"image": (photo.name, photo.read_bytes())}).json()
        assert shown[photo.name] == told["caption"]
    assert len(set(shown.values())) == len(photos)
    assert sizes == [24] * len(photos)
    assert count == "7 of 7 captioned"
    assert "fake" in model
    assert page.complaints == []
    assert page.requests
    assert {url.removeprefix("blob:").startswith(service.url) for url in page.requests} == {True}


def test_dropped_folders_are_walked_and_other_files_left_out(
    browser: Any, service: Service, photos: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "photos" / "inner").mkdir()
    (tmp_path / "photos" / "inner" / "deep.png").write_bytes(png(99))
    (tmp_path / "photos" / "notes.txt").write_text("no picture")
    single = tmp_path / "single.png"
    single.write_bytes(png(100))
    with opened(browser, service.url) as page:
        page.drop(tmp_path / "photos", single)
        page.until(f"{DONE} === {len(photos) + 2}")
        assert set(captions(page)) == {*(photo.name for photo in photos), "deep.png", "single.png"}
        assert notice(page) == "notes.txt is not a picture and was left out."
    assert page.complaints == []


def test_files_that_are_no_pictures_are_named(browser: Any, service: Service, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.txt", "<b>.txt", "c.txt", "d.txt", "e.txt")]
    for file in files:
        file.write_text("no picture")
    with opened(browser, service.url) as page:
        for count, told in (
            (1, "a.txt is not a picture and was left out."),
            (2, "a.txt and <b>.txt are not pictures and were left out."),
            (5, "a.txt, <b>.txt and 3 more are not pictures and were left out."),
        ):
            page.choose("#files", *files[:count])
            page.until("!document.querySelector('#notice').hidden")
            assert notice(page) == told
    assert page.complaints == []


def test_pasted_pictures_get_captions(browser: Any, service: Service) -> None:
    paste = """(() => {
        const carried = new DataTransfer();
        const bytes = Uint8Array.from(atob('%s'), one => one.charCodeAt(0));
        carried.items.add(new File([bytes], 'image.png', {type: 'image/png'}));
        document.dispatchEvent(new ClipboardEvent('paste', {clipboardData: carried}));
    })()"""
    with opened(browser, service.url) as page:
        page.evaluate(paste % base64.b64encode(png(5)).decode())
        page.until(f"{DONE} === 1")
        assert "image.png" in captions(page)


def test_the_prompt_goes_along(browser: Any, service: Service, photos: list[Path]) -> None:
    with opened(browser, service.url) as page:
        page.evaluate("document.querySelector('#prompt').value = 'short'")
        page.choose("#files", photos[0])
        page.until(f"{DONE} === 1")
        (shown,) = captions(page).values()
    sent = {"files": {"image": ("0.png", photos[0].read_bytes())}}
    assert shown == service.client.post("/caption", **sent, data={"prompt": "short"}).json()["caption"]
    assert shown != service.client.post("/caption", **sent).json()["caption"]


def test_what_fails_says_why_and_can_be_tried_again(browser: Any, tmp_path: Path) -> None:
    with Service("--model", "fake:rejected=0.4", cwd=tmp_path) as service:
        sorted_out: dict[int, list[Path]] = {200: [], 422: []}
        for number in range(20):
            photo = tmp_path / f"{number}.png"
            photo.write_bytes(png(number))
            answer = service.client.post("/caption", files={"image": (photo.name, photo.read_bytes())})
            sorted_out[answer.status_code].append(photo)
        good, (broken, *_) = sorted_out[200], sorted_out[422]
        with opened(browser, service.url) as page:
            page.choose("#files", good[0], broken, good[1])
            page.until(ALL_DONE)
            shown = captions(page)
            assert "refused" in shown[broken.name]
            assert page.evaluate("document.querySelectorAll('.is-failed').length") == 1
            assert (
                page.evaluate("document.querySelector('#count').textContent") == "2 of 3 captioned, 1 failed"
            )
            tried = page.requests.count(f"{service.url}/caption")
            page.evaluate("document.querySelector('.is-failed .again').click()")
            page.until(ALL_DONE)
            assert page.requests.count(f"{service.url}/caption") == tried + 1
            service.stop()
            page.choose("#files", good[2])
            page.until("document.querySelectorAll('.is-failed').length === 2")
            assert "Is it running?" in captions(page)[good[2].name]
            service.start()
            page.evaluate("[...document.querySelectorAll('.is-failed .again')].at(-1).click()")
            page.until(f"{DONE} === 3")


def test_hostile_names_are_text(browser: Any, service: Service, tmp_path: Path) -> None:
    for number, name in enumerate(HOSTILE):
        (tmp_path / name.replace("/", "")).write_bytes(png(number))
    files = sorted(tmp_path.glob("*.png"))
    with opened(browser, service.url) as page:
        page.choose("#files", *files)
        page.until(ALL_DONE)
        assert set(captions(page)) == {file.name for file in files}
        assert page.evaluate("document.querySelectorAll('#cards script, #cards b').length") == 0
        assert page.evaluate("document.querySelectorAll('#cards img').length") == len(files)
        label = page.evaluate("document.querySelector('.copy').getAttribute('aria-label')")
    assert label.endswith(files[0].name)
    assert page.complaints == []


def test_hostile_captions_are_text(browser: Any, service: Service, photos: list[Path]) -> None:
    hostile = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    answered = json.dumps({"caption": hostile, "model": hostile, "seconds": 1})
    with opened(browser, service.url) as page:
        page.evaluate(f"window.fetch = async () => new Response({answered!r})")
        page.choose("#files", photos[0])
        page.until(f"{DONE} === 1")
        assert list(captions(page).values()) == [hostile]
        assert page.evaluate("document.querySelectorAll('#cards img').length") == 1
    assert page.complaints == []


def test_markup_cannot_be_made_of_text_at_all(browser: Any, service: Service) -> None:
    with opened(browser, service.url) as page:
        tried = "(() => {try {document.body.innerHTML = '<b>x</b>'; return 'taken'} catch (error) {return error.name}})()"
        assert page.evaluate(tried) == "TypeError"


def test_captions_are_copied_and_saved(
    browser: Any, service: Service, photos: list[Path], tmp_path: Path
) -> None:
    comma = tmp_path / 'a, "b".png'
    comma.write_bytes(png(50))
    saved = tmp_path / "saved"
    with opened(browser, service.url) as page:
        page.choose("#files", comma, *photos[:2])
        page.until(ALL_DONE)
        shown = captions(page)
        say_instead(page, ".copy")
        assert page.until("window.copied") == shown[comma.name]
        page.evaluate("document.querySelector('#copy-all').click()")
        expected = "\n".join(f"{name}\n{caption}\n" for name, caption in shown.items())
        page.until(f"window.copied === {json.dumps(expected)}")
        for kind in ("text", "csv", "json"):
            page.save(f"#save-{kind}", saved)
        names = ("captions.txt", "captions.csv", "captions.json")
    text, table, data = ((saved / name).read_text("utf-8") for name in names)
    assert text == expected
    assert [*csv.DictReader(table.splitlines())] == [{"image": n, "caption": c} for n, c in shown.items()]
    assert {row["image"]: row["caption"] for row in json.loads(data)} == shown


def test_the_keyboard_is_enough(browser: Any, service: Service, photos: list[Path]) -> None:
    with opened(browser, service.url) as page:
        order = []
        for _ in range(2):
            page.press("Tab")
            order.append(page.evaluate(FOCUSED))
        ring = page.evaluate("getComputedStyle(document.querySelector('.drop .button')).outlineStyle")
        assert (order, ring) == (["A", "files"], "solid")
        page.choose("#files", *photos[:2])
        page.until(ALL_DONE)
        seen = []
        for _ in range(20):
            page.press("Tab")
            seen.append(page.evaluate(FOCUSED))
            if seen[-1].startswith("remove"):
                break
        assert seen == [
            "SUMMARY",
            "copy-all",
            "clear",
            "save-text",
            "save-csv",
            "save-json",
            "copy",
            "again",
            seen[-1],
        ]
        page.press("Enter")  # removes the first; the focus goes to the second
        assert len(captions(page)) == 1
        assert page.evaluate(FOCUSED).startswith("remove")
        page.press("Enter")
        assert page.evaluate(FOCUSED) == "files"


def test_screen_readers_are_told(browser: Any, service: Service, photos: list[Path]) -> None:
    with opened(browser, service.url) as page:
        page.choose("#files", *photos[:3])
        page.until("document.querySelector('[role=status]').textContent === '3 of 3 captioned'")
        named = page.named_nodes()
    for role in ("button", "textbox", "link", "progressbar", "heading"):
        assert all(name for kind, name in named if kind == role), role
    buttons = [name for kind, name in named if kind == "button"]
    assert "Choose pictures" in " ".join(buttons)
    assert "Copy: the caption of 0.png" in buttons
    assert len(buttons) == len(set(buttons))
    assert [name for kind, name in named if kind == "heading"][:2] == ["Captions for pictures", "Pictures"]


def test_a_key_is_asked_for_and_stays_in_the_tab(browser: Any, tmp_path: Path, photos: list[Path]) -> None:
    with Service("--model", "fake", cwd=tmp_path, env={"CUTLINE_SERVICE_KEY": "sesame"}) as service:
        with opened(browser, service.url) as page:
            page.until("!document.querySelector('#locked').hidden")
            assert page.evaluate(FOCUSED) == "key"
            page.choose("#files", photos[0])
            for key, waited in (
                ("wrong", "document.querySelector('#key-note').textContent.includes('not accepted')"),
                ("ключ", "document.querySelector('#key-note').textContent.includes('not accepted')"),
                ("sesame", f"{DONE} === 1"),
            ):
                page.evaluate(f"document.querySelector('#key').value = {key!r}")
                page.evaluate("document.querySelector('#key-form button').click()")
                page.until(waited)
            assert page.evaluate("document.querySelector('#locked').hidden")
            assert page.evaluate(FOCUSED) == "files"
            page.until("!document.querySelector('[role=status]').textContent.includes('not accepted')")
            assert page.evaluate("[localStorage.length, document.cookie]") == [0, ""]
            assert page.evaluate("sessionStorage.length") == 1
        assert "sesame" not in service.log
        assert "sesame" not in " ".join(page.requests)
        for path in ("/caption", "/models", "/openapi.json", "/tasks"):
            assert httpx.get(service.url + path, trust_env=False).status_code == 401
        assert httpx.get(f"{service.url}/page/page.js", trust_env=False).status_code == 200


def test_jobs_are_shown_with_their_progress(browser: Any, service: Service) -> None:
    files = [("images", (f"{number}.png", png(number))) for number in range(3)]
    task = service.client.post("/async-batch-caption", files=files).json()["task_id"]
    with opened(browser, service.url) as page:
        page.until("document.querySelector('.state')?.textContent === 'Completed'")
        row = page.evaluate("document.querySelector('#job-rows tr').textContent")
        assert not page.evaluate("document.querySelector('#jobs').hidden")
        say_instead(page, "#job-rows .copy-id")
        assert page.until("window.copied") == task
    assert f"…{task[-8:]}" in row
    assert "3 of 3" in row


def test_a_job_leads_to_its_results_and_says_why_pictures_failed(browser: Any, tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    with Service("--model", "fake:rejected=0.5", cwd=tmp_path) as service:
        files = [("images", (HOSTILE[0], png(number))) for number in range(12)]
        task = service.client.post("/async-batch-caption", files=files).json()["task_id"]
        ended = service.ended(task)
        with opened(browser, service.url) as page:
            page.until("document.querySelector('.state')?.textContent === 'Completed'")
            page.evaluate("document.querySelector('.why').focus()")
            for times in (1, 0, 1):
                page.press("Enter")
                page.until(f"document.querySelectorAll('.reasons').length === {times}")
            told = page.evaluate("[...document.querySelectorAll('.reasons li')].map(one => one.textContent)")
            assert page.evaluate(FOCUSED) == "why"
            assert page.evaluate("document.querySelector('#job-rows .results').textContent") == (
                "Download results"
            )
            file = page.save("#job-rows .results", saved)
            assert file.name == f"job-{task[-8:]}.json"
        assert page.complaints == []
    assert told == [f"{HOSTILE[0]}: the model's server refused this request"] * ended["failed"]
    assert json.loads(file.read_text("utf-8")) == ended["results"]


def test_a_failed_job_looks_failed(browser: Any, tmp_path: Path) -> None:
    with Service("--model", "fake", cwd=tmp_path) as service:
        done = service.client.post("/async-batch-caption", files={"images": png(1)})
        service.ended(done.json()["task_id"])
        gone = service.client.post("/async-batch-caption", json={"image_urls": ["http://127.0.0.1/a.png"]})
        service.ended(gone.json()["task_id"])
        colour = "getComputedStyle(document.querySelector('.is-%s progress')).color"
        with opened(browser, service.url) as page:
            page.until("!!document.querySelector('.is-failed .why:not([hidden])')")
            assert page.evaluate(colour % "failed") != page.evaluate(colour % "completed")


def test_jobs_can_be_read_on_a_phone(browser: Any, service: Service) -> None:
    service.client.post("/async-batch-caption", files={"images": png(1)})
    with opened(browser, service.url) as page:
        page.resize(390, 844)
        page.until("!!document.querySelector('#job-rows tr')")
        shown = "document.querySelector('#jobs .scroll')"
        assert page.evaluate(f"{shown}.scrollWidth <= {shown}.clientWidth")
        outside = (
            "[...document.querySelectorAll('#job-rows *')].filter(one => one.checkVisibility() &&"
            " one.getBoundingClientRect().right > 390).length"
        )
        assert page.evaluate(outside) == 0
        assert "\u2013" not in page.evaluate("document.querySelector('#job-rows').innerText")


def test_what_can_never_work_is_not_offered_again(browser: Any, tmp_path: Path, photos: list[Path]) -> None:
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(b"no picture")
    with Service("--model", "pixels:no-ocr", cwd=tmp_path) as service, opened(browser, service.url) as page:
        page.choose("#files", damaged, photos[0])
        page.until(ALL_DONE)
        assert page.evaluate("document.querySelector('.is-failed .again').hidden")
        assert page.evaluate("document.querySelector('#retry-failed').hidden")
        page.until("document.querySelector('#model').textContent.includes('pixels')")
        assert page.evaluate("document.querySelector('#prompt-panel').hidden"), "it follows no prompt"
        assert page.evaluate("document.querySelector('#through').hidden"), "there are no chains"


def test_a_model_that_broke_is_not_asked_again(browser: Any, tmp_path: Path, photos: list[Path]) -> None:
    with Service("--model", "fake:error=1", cwd=tmp_path) as service, opened(browser, service.url) as page:
        page.choose("#files", photos[0])
        page.until("!!document.querySelector('.is-failed')")
        assert "failed on this picture" in captions(page)[photos[0].name]
        assert page.evaluate("document.querySelector('.is-failed .again').hidden")
        assert page.evaluate("document.querySelector('#retry-failed').hidden")


def test_a_busy_service_is_waited_for(browser: Any, tmp_path: Path, photos: list[Path]) -> None:
    few = {"CUTLINE_MAX_WAITING": "2"}
    with (
        Service("--model", "fake:latency=0.3", cwd=tmp_path, env=few) as service,
        opened(browser, service.url) as page,
    ):
        page.choose("#files", *photos[:5])
        page.until(ALL_DONE, 60)
        assert page.evaluate(DONE) == 5
        assert page.requests.count(f"{service.url}/caption") > 5


def test_the_focus_stays_when_all_that_failed_is_tried_again(
    browser: Any, tmp_path: Path, photos: list[Path]
) -> None:
    with Service("--model", "fake:rejected=1", cwd=tmp_path) as service, opened(browser, service.url) as page:
        page.choose("#files", photos[0])
        page.until("!document.querySelector('#retry-failed').hidden")
        page.evaluate("document.querySelector('#retry-failed').focus()")
        page.press("Enter")
        assert page.evaluate(FOCUSED) == "clear"


def test_the_forms_of_a_model_without_instructions_can_be_chosen(
    browser: Any, service: Service, tmp_path: Path, photos: list[Path]
) -> None:
    with opened(browser, service.url) as page:
        page.until("!document.querySelector('#prompt-panel').hidden")
        assert page.evaluate("document.querySelector('#forms').hidden"), "it takes any words"
    with Service("--model", "pixels:no-ocr", cwd=tmp_path) as embedded:
        with opened(browser, embedded.url) as page:
            page.until("!document.querySelector('#forms').hidden")
            assert page.evaluate("document.querySelector('#prompt-panel').hidden")
            offered = page.evaluate("[...document.querySelector('#form').options].map(one => one.value)")
            assert {"", "short", "tags"} < set(offered)
            page.evaluate("document.querySelector('#form').value = 'tags'")
            page.choose("#files", photos[0])
            page.until(f"{DONE} === 1")
            (shown,) = captions(page).values()
        sent = {"files": {"image": photos[0].read_bytes()}}
        assert shown == embedded.client.post("/caption", **sent, data={"prompt": "tags"}).json()["caption"]
        assert shown != embedded.client.post("/caption", **sent).json()["caption"]
    assert page.complaints == []


def test_a_chain_can_be_chosen(browser: Any, tmp_path: Path, photos: list[Path]) -> None:
    chain = '[[step]]\nname = "look"\nmodel = "fake"\n\n[[step]]\nname = "more"\nmodel = "fake"\nprompt = "{look}"\n'
    (tmp_path / "twice.toml").write_text(chain)
    with Service("--model", "fake", "--chain", "twice.toml", cwd=tmp_path) as service:
        with opened(browser, service.url) as page:
            page.until("!document.querySelector('#through').hidden")
            choose = "(one => {one.value = 'twice'; one.dispatchEvent(new Event('change'))})"
            page.evaluate(f"{choose}(document.querySelector('#chain'))")
            assert page.evaluate("document.querySelector('#prompt-panel').hidden")
            page.choose("#files", photos[0])
            page.until(f"{DONE} === 1")
            (shown,) = captions(page).values()
        sent = {"files": {"image": photos[0].read_bytes()}, "data": {"chain": "twice"}}
        assert shown == service.client.post("/caption", **sent).json()["caption"]
        assert "prompted by more" in shown


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/page/base.css", "/page/page.css", "/page/page.js", "/page/icon.svg"]
)
def test_browsers_are_told_to_be_strict(service: Service, path: str) -> None:
    answer = service.client.get(path)
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'self'"
    assert policy["img-src"] == "'self' blob: data:"
    assert policy["frame-ancestors"] == "'none'"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert "http://www.w3.org/2000/svg" in answer.text or not re.search(r"https?://", answer.text)


def test_only_the_page_s_own_files_are_served(service: Service) -> None:
    for name in ("nothing.js", "..%2fsettings.py", "%2e%2e/settings.py", "../pages.py", "docs"):
        assert service.client.get(f"/page/{name}").status_code in {403, 404}


def test_it_can_be_read(browser: Any, service: Service, photos: list[Path]) -> None:
    """Every text stands out from its ground by 4.5 to 1, and nothing hangs over the side."""
    service.client.post("/async-batch-caption", files=[("images", ("a.png", png(1)))])
    with opened(browser, service.url) as page:
        page.until("!document.querySelector('#jobs').hidden")
        page.choose("#files", *photos[:3])
        page.until(ALL_DONE)
        page.evaluate("window.fetch = async () => new Response('{}', {status: 500})")
        page.choose("#files", photos[3])
        page.until("!!document.querySelector('.is-failed')")
        page.evaluate("document.querySelector('details').open = true")
        for width, scheme in ((1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")):
            page.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.resize(width)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            found: list[Any] = page.evaluate(CONTRAST)
            assert len(found) > 20
            assert [one for one in found if one[0] < 4.5] == [], scheme


CONTRAST = """(() => {
    const parse = (text) => text.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => {
        const [x, y, z] = [r, g, b].map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
        return .2126 * x + .7152 * y + .0722 * z;
    };
    const ground = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const colour = parse(getComputedStyle(at).backgroundColor);
            if (colour[3] !== 0) return colour;
        }
    };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const found = [];
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        const text = walker.currentNode.textContent.trim();
        if (!text || !element.checkVisibility() || element.closest('.unseen, :disabled, script')) continue;
        const [one, other] = [light(parse(getComputedStyle(element).color)), light(ground(element))];
        found.push([(Math.max(one, other) + .05) / (Math.min(one, other) + .05), text]);
    }
    return found;
})()"""


def test_it_keeps_still_for_those_who_ask_for_it(browser: Any, tmp_path: Path, photos: list[Path]) -> None:
    with Service("--model", "fake:latency=30", cwd=tmp_path) as service, opened(browser, service.url) as page:
        page.choose("#files", photos[0])
        page.until("!!document.querySelector('.is-running')")
        moving = "document.getAnimations().length"
        assert page.evaluate(moving) > 0
        page.page.emulate_media(reduced_motion="reduce")
        assert page.evaluate(moving) == 0


def test_large_photos_are_shown_upright_and_whole(browser: Any, service: Service, tmp_path: Path) -> None:
    photo = tmp_path / "large.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (3000, 2000), "teal").save(photo, exif=exif)
    with opened(browser, service.url) as page:
        page.choose("#files", photo)
        page.until("document.querySelector('.shot img').naturalWidth")
        shape = "(one => [one.naturalWidth, one.naturalHeight])(document.querySelector('.shot img'))"
        assert page.evaluate(shape) == [2000, 3000]
        box = "(one => one.offsetHeight / one.offsetWidth)(document.querySelector('.shot'))"
        assert page.evaluate(box) == pytest.approx(0.75, abs=0.01)
