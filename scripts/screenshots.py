"""Makes the README's two screenshots, ``docs/images/*.png``, from the sample pictures. Needs Chromium."""

from __future__ import annotations

import contextlib
import os
import pty
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
COLUMNS = 100
COLOURS = [(40, 40, 44), (220, 90, 80), (120, 190, 110), (220, 180, 90), (100, 150, 220), (190, 120, 200)]
THEME = TerminalTheme((24, 26, 30), (222, 222, 218), [*COLOURS, (110, 180, 190), (222, 222, 218)])
PAGE = """<!doctype html><meta charset="utf-8">
<style>body {{ margin: 0; padding: 20px 24px; background: {background}; color: {foreground} }}
pre {{ margin: 0; font: 15px/1.45 "DejaVu Sans Mono", monospace }} {stylesheet}</style><pre>{code}</pre>"""
TERMINAL = (
    ("caption", "pictures", "--preview", "3"),
    ("caption", "pictures", "captions.jsonl", "--prompt", "short"),
)
COMPARISON = ("compare", "plain=pixels", "reading=pixels:ocr", "--input-path", "pictures")


def main() -> None:
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        sys.exit("needs Chromium: apt install chromium")
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        subprocess.run([sys.executable, ROOT / "examples/make_pictures.py", work / "pictures"], check=True)
        console = Console(record=True, width=COLUMNS, file=(work / "recorded").open("w"), force_terminal=True)
        for command in TERMINAL:
            console.print(Text(f"$ cutline {' '.join(command)}", style="bold"))
            console.print(Text.from_ansi(_output(command, work)), end="\n\n")
        console.save_html(str(work / "terminal.html"), theme=THEME, code_format=PAGE)
        _output(COMPARISON, work)
        _photograph(browser, work / "terminal.html", IMAGES / "terminal.png", (960, 560))
        _photograph(browser, work / "comparison.html", IMAGES / "comparison.png", (1200, 860))


def _output(command: tuple[str, ...], folder: Path) -> str:
    """What the command shows on a terminal when it has ended; the live line is gone by then."""
    terminal, inside = pty.openpty()
    environment = os.environ | {
        "COLUMNS": str(COLUMNS),
        "TERM": "xterm-256color",
        "PYTHONPATH": str(ROOT / "src"),
    }
    run = [sys.executable, "-m", "cutline", *command]
    with subprocess.Popen(run, cwd=folder, env=environment, stdout=inside, stderr=inside) as process:
        os.close(inside)
        parts = []
        with contextlib.suppress(OSError):  # Linux ends a terminal that nobody holds with an error
            while part := os.read(terminal, 65536):
                parts.append(part)
    os.close(terminal)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}")
    lines = b"".join(parts).decode().split("\n")
    return "\n".join(kept for line in lines if (kept := line.rstrip("\r").rpartition("\x1b[2K")[2].rstrip()))


def _photograph(browser: str, page: Path, image: Path, size: tuple[int, int]) -> None:
    taken = page.with_suffix(".png")
    flags = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--screenshot={taken}")
    subprocess.run(
        [browser, *flags, f"--window-size={size[0]},{size[1]}", page], check=True, capture_output=True
    )
    Image.open(taken).convert("RGB").quantize(192, dither=Image.Dither.NONE).save(image, optimize=True)
    sys.stdout.write(f"{image.relative_to(ROOT)}: {image.stat().st_size // 1000} kB\n")


if __name__ == "__main__":
    main()
