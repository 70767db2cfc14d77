"""Makes the browser library of the studio: preact, signals and htm in one module, from npm's packages.

Needs node and npm, which nothing else does. Prints the hash that `make check` compares.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

VERSIONS = {"preact": "11.2.0", "htm": "3.1.1", "@preact/signals": "2.11.4"}
ESBUILD = "0.28.2"
ENTRY = """
export { h, Fragment, render, createRef } from "preact";
export { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
export { batch, computed, effect, signal, untracked } from "@preact/signals";
export { useComputed, useSignal, useSignalEffect } from "@preact/signals";
import { h } from "preact";
import htm from "htm";
export const html = htm.bind(h);
"""
TARGET = Path(__file__).parents[1] / "src/cutline/studio/page/vendor"


def main() -> None:
    """Write the module, its licences and its hash."""
    if sys.argv[1:] == ["--check"]:
        recorded = json.loads((TARGET / "versions.json").read_text())
        if _digest() != recorded["sha256"]:
            sys.exit("preact.js is not what scripts/vendor_browser.py made")
        return
    with tempfile.TemporaryDirectory() as folder:
        packages = [*(f"{name}@{version}" for name, version in VERSIONS.items()), f"esbuild@{ESBUILD}"]
        subprocess.run(["npm", "install", "--silent", "--no-save", *packages], cwd=folder, check=True)
        Path(folder, "entry.js").write_text(ENTRY)
        options = ["--bundle", "--format=esm", "--minify", "--target=es2022", "--legal-comments=none"]
        built = subprocess.run(
            ["npx", "esbuild", "entry.js", *options], cwd=folder, check=True, capture_output=True
        )
        names = ", ".join(f"{name} {version}" for name, version in VERSIONS.items())
        head = f"/* {names}; licences in LICENSES.txt; made by scripts/vendor_browser.py. */\n"
        (TARGET / "preact.js").write_bytes(head.encode() + built.stdout)
        licences = [
            f"{name} {version}\n\n{Path(folder, 'node_modules', name, 'LICENSE').read_text()}"
            for name, version in VERSIONS.items()
        ]
        (TARGET / "LICENSES.txt").write_text(re.sub(r"[ \t]+\n", "\n", "\n\n".join(licences)))
    (TARGET / "versions.json").write_text(
        json.dumps({**VERSIONS, "esbuild": ESBUILD, "sha256": _digest()}, indent=2) + "\n"
    )


def _digest() -> str:
    return hashlib.sha256((TARGET / "preact.js").read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
