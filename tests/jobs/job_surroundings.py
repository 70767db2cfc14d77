"""What a job finds around it: pictures, and an environment that holds nothing else."""

from __future__ import annotations

from pathlib import Path

from PIL import Image


def fill(folder: Path, count: int) -> None:
    """Write pictures that are all different, named by their numbers."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.new("RGB", (60, 40), (number % 256, 90, 120)).save(folder / f"{number:02}.png")


def environment_of(home: Path, told: dict[str, object]) -> dict[str, str]:
    """Of a container whose home is ``home``, outside of SageMaker unless ``told`` says otherwise."""
    ml = {"CUTLINE_ML_ROOT": str(home / "no-ml"), "XDG_STATE_HOME": ""}
    return {"HOME": str(home), **ml, **{name: str(value) for name, value in told.items()}}
