"""Makes the browser libraries of the studio from npm's packages: preact, signals and htm; d3-cloud.

Needs node and npm, which nothing else does. Keeps the hashes that `make check` compares.
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
CLOUD = {"d3-cloud": "1.2.7", "d3-dispatch": "1.0.6"}
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
CLOUD_ENTRY = """
import cloud from "d3-cloud";
export { cloud };
"""
MODULES = {"preact.js": (ENTRY, VERSIONS), "d3-cloud.js": (CLOUD_ENTRY, CLOUD)}
TARGET = Path(__file__).parents[1] / "src/cutline/studio/page/vendor"


def main() -> None:
    """Write the modules, their licences and their hashes."""
    if sys.argv[1:] == ["--check"]:
        recorded = json.loads((TARGET / "versions.json").read_text())
        for name in MODULES:
            if _digest(name) != recorded["sha256"][name]:
                sys.exit(f"{name} is not what scripts/vendor_browser.py made")
        return
    versions = {**VERSIONS, **CLOUD}
    with tempfile.TemporaryDirectory() as folder:
        packages = [*(f"{name}@{version}" for name, version in versions.items()), f"esbuild@{ESBUILD}"]
        subprocess.run(["npm", "install", "--silent", "--no-save", *packages], cwd=folder, check=True)
        for name, (entry, used) in MODULES.items():
            Path(folder, "entry.js").write_text(entry)
            options = ["--bundle", "--format=esm", "--minify", "--target=es2022", "--legal-comments=none"]
            built = subprocess.run(
                ["npx", "esbuild", "entry.js", *options], cwd=folder, check=True, capture_output=True
            )
            names = ", ".join(f"{each} {version}" for each, version in used.items())
            head = f"/* {names}; licences in LICENSES.txt; made by scripts/vendor_browser.py. */\n"
            (TARGET / name).write_bytes(head.encode() + built.stdout)
        licences = [
            f"{name} {version}\n\n{Path(folder, 'node_modules', name, 'LICENSE').read_text()}"
            for name, version in versions.items()
        ]
        (TARGET / "LICENSES.txt").write_text(re.sub(r"[ \t]+\n", "\n", "\n\n".join(licences)))
    digests = {name: _digest(name) for name in MODULES}
    (TARGET / "versions.json").write_text(
        json.dumps({**versions, "esbuild": ESBUILD, "sha256": digests}, indent=2) + "\n"
    )


def _digest(name: str) -> str:
    return hashlib.sha256((TARGET / name).read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
