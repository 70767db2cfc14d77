"""``python -m cutline``."""

from __future__ import annotations

import sys

from cutline.cli import main

sys.exit(main())
