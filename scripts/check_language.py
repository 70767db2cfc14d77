"""Count words and module names that plain English replaces; exit 1 when there are more than the limits.

See "Language" in CONTRIBUTING.md. Lower a limit when the count has fallen; never raise one.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src" / "cutline"
WORDS = re.compile("asked|said|told|wish", re.IGNORECASE)
MAX_PER_1000_LINES = 0.5
MAX_ING_MODULES = 0
FIELD_TERMS = frozenset({"encoding", "formatting", "imaging", "tracing"})
"""Names in -ing that the field itself uses."""


def main() -> int:
    """Print the counts; 1 when one is above its limit."""
    files = sorted(SOURCE.rglob("*.py"))
    texts = {path.relative_to(SOURCE): path.read_text("utf-8") for path in files}
    lines = sum(text.count("\n") for text in texts.values())
    found = {path: count for path, text in texts.items() if (count := len(WORDS.findall(text)))}
    frequency = 1000 * sum(found.values()) / lines
    names = {part for path in texts for part in path.with_suffix("").parts}
    gerunds = sorted(name for name in names if name.endswith("ing") and name not in FIELD_TERMS)
    print(f"{lines:,} lines in {len(files)} modules")
    print(f"{frequency:.1f} of {WORDS.pattern} in 1,000 lines; at most {MAX_PER_1000_LINES:g}")
    print(f"{len(gerunds)} modules in -ing {gerunds}; at most {MAX_ING_MODULES}")
    if frequency <= MAX_PER_1000_LINES and len(gerunds) <= MAX_ING_MODULES:
        return 0
    for path, count in sorted(found.items(), key=lambda item: -item[1])[:20]:
        print(f"{count:4} {path}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
