"""``cutline serve`` as ``python run.py``, with ``--port``, ``--workers`` and ``--reload``.

It listens on 127.0.0.1, as ``cutline serve`` does: ``--host 0.0.0.0`` asks for a key.
"""

from __future__ import annotations

import sys

try:
    from cutline.cli import main
except ImportError:
    sys.exit("cutline is not installed: pip install '.[serve]'")

if __name__ == "__main__":  # workers, and --reload, import this file again
    sys.exit(main(["serve", *sys.argv[1:]]))
