"""A real PostgreSQL for the tests, from the system's packages, in a temporary folder on a free port."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import free_port

from processes import PATIENCE

USERS = ("postgres", "nobody")  # the server refuses to run as root


def programs() -> Path:
    """The newest installed version's folder; skips the test where there is none."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        pytest.skip("PostgreSQL is not installed: scripts/system_packages.sh does it where root and apt are")
    return found[-1].parent


def other_user() -> str | None:
    """Whom the server runs as; None for ourselves."""
    if os.geteuid() != 0:
        return None
    for name in USERS:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    pytest.skip("we are root, as which PostgreSQL does not run, and there is no other user")


@contextlib.contextmanager
def running() -> Iterator[str]:
    """The URL of its server's administration database."""
    folder, user, port = programs(), other_user(), free_port()
    # Not pytest's folder, which other users cannot enter.
    home = Path(tempfile.mkdtemp(prefix="cutline-postgres-"))
    if user is not None:
        shutil.chown(home, user)
    data = home / "data"

    def command(*arguments: object) -> list[str]:
        return [str(part) for part in arguments]

    try:
        initdb = command(
            folder / "initdb", "-D", data, "-U", "cutline", "-A", "trust", "--no-sync", "-E", "UTF8"
        )
        subprocess.run(initdb, check=True, capture_output=True, user=user, cwd=home)
        options = ("-h", "127.0.0.1", "-p", port, "-k", home, "-c", "fsync=off")
        with (home / "log").open("wb") as log:
            server = subprocess.Popen(
                command(folder / "postgres", "-D", data, *options),
                stdout=log,
                stderr=log,
                user=user,
                cwd=home,
            )
        try:
            ready = command(folder / "pg_isready", "-h", "127.0.0.1", "-p", port, "-U", "cutline", "-t", "1")
            for _ in range(60):
                assert server.poll() is None, (home / "log").read_text()
                if subprocess.run(ready, capture_output=True, check=False).returncode == 0:
                    break
            yield f"postgresql://cutline@127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(PATIENCE)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def new_database(url: str, name: str) -> str:
    """The URL of an empty database on that server."""
    import psycopg

    with psycopg.connect(f"{url}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return f"{url}/{name}"
