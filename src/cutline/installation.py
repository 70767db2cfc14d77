"""The command that installs an extra into the environment that runs, as messages name it."""

from __future__ import annotations

import importlib.util
import shlex
import sys
from pathlib import Path

from cutline.errors import DISTRIBUTION, INSTALL


def exact(message: str) -> str:
    """``message`` with the commands that install extras as they work here.

    ``pip`` alone may be that of another environment, and a copy of the source that was never installed
    has to be named by its folder.
    """
    if INSTALL not in message:
        return message
    return message.replace(f"{INSTALL}{DISTRIBUTION}[", f"{_pip()} '{_distribution()}[")


def program() -> str:
    """The command that runs this program, also where its environment is not activated."""
    import shutil

    folder = Path(sys.executable).parent
    found = shutil.which("cutline")
    if found is not None and Path(found).resolve().parent == folder.resolve():  # as of pipx, by a link
        return "cutline"
    beside = shutil.which("cutline", path=str(folder))
    return shlex.quote(beside) if beside is not None else f"{shlex.quote(sys.executable)} -m cutline"


def _pip() -> str:
    python = shlex.quote(sys.executable)
    import shutil

    found = shutil.which("pip")
    if found is not None and Path(found).parent == Path(sys.executable).parent:
        return "pip install"
    if importlib.util.find_spec("pip") is not None:
        return f"{python} -m pip install"
    return f"uv pip install --python {python}"


def _distribution() -> str:
    import importlib.metadata

    try:
        importlib.metadata.distribution(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return str(Path(__file__).parents[2])
    return DISTRIBUTION
