"""The studio's map in Chromium without a graphics card, of made captions and made vectors.

    python bench/map_page.py [--rows 100000] [--json FILE] [--check]

Called by bench/studio.py too. See docs/design/analysis.md.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from figures import Figure, arguments, conclude
from playwright.sync_api import Page, sync_playwright
from studio_server import StudioServer

from cutline.analysis.embedding_store import EmbeddingStore
from cutline.dataset.embedded_contents import content_key
from cutline.encoders.factory import text_encoder

CLUSTERS = 40  # that the made vectors have

# Waits until what was drawn is on the screen: reading a pixel back ends when all before it is drawn.
PAINTED = """
globalThis.painted = async () => {
  await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  const gl = document.querySelector('.plot canvas').getContext('webgl2');
  gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));
};
globalThis.until = async (is) => {
  const start = performance.now();
  while (!is()) {
    if (performance.now() - start > 30000) throw new Error(`does not come: ${is}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
};
globalThis.at = (name, x, y) => {
  const canvas = document.querySelector('.plot canvas');
  const { left, top } = canvas.getBoundingClientRect();
  const place = { clientX: left + x, clientY: top + y, pointerId: 1, bubbles: true };
  canvas.dispatchEvent(new PointerEvent(name, place));
};
HTMLCanvasElement.prototype.setPointerCapture = () => {}; // there is no real pointer
"""
READY = """async (count) => {
  const names = ['panels', 'map_plot', 'map'];
  const [{ show }, plot, map] = await Promise.all(names.map((name) => import(`/page/${name}.js`)));
  const start = performance.now();
  show('map');
  await until(() => plot.plotted()?.points.to.length === 2 * count && map.labels.value.length === count);
  await painted();
  return performance.now() - start;
}"""
HOVER = """async () => {
  const { plotted } = await import('/page/map_plot.js');
  const plot = plotted();
  const times = [];
  for (let turn = 0; turn < 200; turn += 1) {
    const row = Math.floor(Math.random() * plot.points.labels.length);
    const [x, y] = plot.pixelOf(row);
    const start = performance.now();
    at('pointermove', x + 1, y + 1);
    await until(() => document.querySelector('.tip'));
    times.push(performance.now() - start);
    at('pointerleave', 0, 0);
    await until(() => !document.querySelector('.tip'));
  }
  return times.sort((a, b) => a - b);
}"""
LASSO = """async () => {
  const [{ plotted }, store] = await Promise.all([import('/page/map_plot.js'), import('/page/store.js')]);
  const { clientWidth: width, clientHeight: height } = plotted().canvas;
  plotted().mode = 'lasso';
  const round = (part) => [width * (0.5 + 0.3 * Math.cos(part)), height * (0.5 + 0.3 * Math.sin(part))];
  at('pointerdown', ...round(0));
  for (let step = 1; step < 120; step += 1) at('pointermove', ...round(step / 19));
  const before = store.result.value;
  const start = performance.now();
  at('pointerup', ...round(6.3));
  const dimmed = performance.now() - start;
  await until(() => store.result.value !== before);
  const found = performance.now() - start;
  await painted();
  const seen = performance.now() - start;
  plotted().mode = 'pan';
  await store.search('');
  return { dimmed, found, seen, whole: plotted().pace.whole };
}"""
DRAG = """async () => {
  let frames = 0;
  const width = document.querySelector('.plot').clientWidth;
  at('pointerdown', width / 2, 100);
  const start = performance.now();
  while (performance.now() - start < 3000) {
    await new Promise((resolve) => requestAnimationFrame(resolve));
    frames += 1;
    at('pointermove', width / 2 + 50 * Math.sin(frames / 10), 100 + 20 * Math.cos(frames / 10));
  }
  const seconds = (performance.now() - start) / 1000;
  at('pointerup', width / 2, 100);
  return frames / seconds;
}"""
CLOUD = """async () => {
  const { cloudOf } = await import('/page/word_cloud.js');
  const parts = ['a', 'be', 'cor', 'du', 'el', 'fin', 'go', 'hal', 'in', 'jo'];
  const terms = Array.from({ length: 150 }, (_, at) => ({
    term: parts[at % 10] + parts[(at * 7) % 10] + (at % 3 ? parts[Math.floor(at / 10) % 10] : ''),
    occurrences: Math.round(60000 / (at + 1)), score: at % 5,
  }));
  cloudOf(terms, 480, 50, 12.5);
  const times = [];
  for (let turn = 0; turn < 5; turn += 1) {
    const start = performance.now();
    const { words } = cloudOf(terms, 480, 50, 12.5);
    times.push(performance.now() - start);
    if (words.length !== 150) throw new Error(`${words.length} words`);
  }
  return times.sort((a, b) => a - b)[2];
}"""
RECOUNT = """async () => {
  const map = await import('/page/map.js');
  const start = performance.now();
  await map.recount(30);
  return performance.now() - start;
}"""


def fill(folder: Path, cache: Path, rows: int) -> Path:
    """A table of captions, and their vectors in the store, as if they had been computed."""
    rng = np.random.default_rng(1)
    encoder = text_encoder()
    store = EmbeddingStore(
        cache / "cutline" / "embeddings", encoder.name, encoder.fingerprint, encoder.dimensions
    )
    middles = rng.normal(0, 1, (CLUSTERS, encoder.dimensions)).astype(np.float32)
    table = folder / "captions.jsonl"
    with table.open("w") as file:
        for start in range(0, rows, 50_000):
            numbers = range(start, min(rows, start + 50_000))
            texts = [f"caption {number} of thing {number % CLUSTERS}" for number in numbers]
            file.writelines(
                json.dumps({"image_id": f"{number}.jpg", "caption": text}) + "\n"
                for number, text in zip(numbers, texts, strict=True)
            )
            vectors = middles[np.array(numbers) % CLUSTERS] + rng.normal(0, 1.2, (len(texts), 384)).astype(
                np.float32
            )
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            store.add([content_key(text.encode()) for text in texts], vectors)
    return table


def compute(studio: StudioServer) -> float:
    """Seconds until points and clusters are there."""
    studio.wait_until_read()
    studio.call("map")  # as the page, before there is anything to press
    time.sleep(3)
    start = time.perf_counter()
    job = studio.job("map", {"of": "captions"})
    assert not job["problem"], job
    return time.perf_counter() - start


def look(page: Page, rows: int) -> list[Figure]:
    """What a user waits for, in milliseconds but for the drag."""
    case = f"map of {rows:,}"
    large = rows > 100_000
    page.evaluate(PAINTED)

    def figure(name: str, value: float, most: float | None) -> Figure:
        return Figure(case=case, name=name, value=round(value), unit="ms", most=most)

    found = [figure("ready", page.evaluate(READY, rows), 3000 if large else 1500)]
    hovers = page.evaluate(HOVER)
    found += [
        figure("hover, median", hovers[len(hovers) // 2], 20),
        figure("hover, 95 of 100", hovers[190], 20),
    ]
    lasso = page.evaluate(LASSO)
    found.append(figure("lasso to what is inside", lasso["dimmed"], 100))
    found.append(figure("lasso to the grid", lasso["found"], 500 if large else 300))
    found.append(figure("lasso to the points dimmed", lasso["seen"], None))
    found.append(figure("a whole frame", lasso["whole"], None))
    found += cloud(page, case)
    page.wait_for_timeout(500)
    drag = page.evaluate(DRAG)
    found.append(Figure(case=case, name="drag", value=round(drag), unit="frames/s", least=20))
    found.append(figure("another count of clusters", page.evaluate(RECOUNT), 1000 if not large else None))
    return found


def cloud(page: Page, case: str) -> list[Figure]:
    """The layout of a cloud of 150 words, and the processor's time for it."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def used() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return next(one["value"] for one in metrics if one["name"] == "ThreadTime")

    before = used()
    clock = page.evaluate(CLOUD)
    each = 1000 * (used() - before) / 6
    return [
        Figure(case=case, name="cloud of 150 words", value=round(clock), unit="ms", most=300),
        Figure(case=case, name="cloud of 150 words, processor", value=round(each), unit="CPU-ms", most=None),
    ]


def run(rows: int) -> list[Figure]:
    """All figures; none where there is no Chromium."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        print("the map is not measured: it needs Chromium", file=sys.stderr)
        return []
    with tempfile.TemporaryDirectory(prefix="bench-map-") as name:
        cache = Path(name, "cache")
        table = fill(Path(name), cache, rows)
        studio = StudioServer(table, cache)
        try:
            seconds = compute(studio)
            figures = [
                Figure(
                    case=f"map of {rows:,}",
                    name="points and clusters",
                    value=seconds,
                    unit="s",
                    most=2 if rows <= 100_000 else None,
                )
            ]
            with sync_playwright() as playwright:
                page = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"]).new_page(
                    viewport={"width": 1920, "height": 1080}
                )
                page.goto(studio.url)
                page.wait_for_selector(".cell")
                return figures + look(page, rows)
        finally:
            studio.stop()


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    options = parser.parse_args()
    figures = run(options.rows)
    return conclude(figures, options)


if __name__ == "__main__":
    sys.exit(main())
