from __future__ import annotations

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real photos, damaged files, tars and tables that are kept beside the project, not in it."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"needs the test data folder {SHARED_DATA}")
    return SHARED_DATA
