from __future__ import annotations

import collections
import contextlib
import functools
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from processes import Endpoint, end_started
from s3_server import Bucket, new_bucket, s3_server
from server_process import Server

# No deadline: an example takes longer where other programs run. In CI the same examples each time; elsewhere new ones,
# which is how a fault that nobody thought of is found.
hypothesis.settings.register_profile("anywhere", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "anywhere")

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real photos, damaged files, tars and tables that are kept beside the project, not in it."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"needs the test data folder {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture(autouse=True)
def _no_storage_of_another_test() -> None:
    """s3fs keeps its connections for the process, with address and credentials of the test that made them."""
    if s3fs := sys.modules.get("s3fs"):
        s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture(autouse=True)
def processes_end() -> Iterator[None]:
    """What a test started by ``start_cutline`` and left running ends with the test."""
    yield
    end_started()


@pytest.fixture(scope="session")
def servers() -> Iterator[Callable[..., Server]]:
    """Called as ``Server``, but a script is started only once; it ends with the session."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def started(script: str, *arguments: str) -> Server:
            return stack.enter_context(Server(script, *arguments))

        yield started


@pytest.fixture(scope="session")
def _shared_endpoint() -> Iterator[Endpoint]:
    endpoint = Endpoint()
    yield endpoint
    endpoint.stop()


@pytest.fixture
def endpoint(_shared_endpoint: Endpoint) -> Endpoint:
    """An endpoint that was set back to its defaults; shared by tests, so that each starts quickly."""
    _shared_endpoint.reset()
    return _shared_endpoint


@pytest.fixture
def new_endpoint() -> Iterator[Callable[..., Endpoint]]:
    """Starts endpoints of this test's own, for what is counted from their start."""
    started: list[Endpoint] = []

    def start(**settings: Any) -> Endpoint:
        started.append(Endpoint(**settings))
        return started[-1]

    yield start
    for endpoint in started:
        endpoint.stop()


@pytest.fixture(scope="module")
def storage() -> Iterator[str]:
    """The address of a server that speaks S3's protocol."""
    with s3_server() as address:
        yield address


@pytest.fixture
def bucket(storage: str) -> Iterator[Bucket]:
    """An empty bucket there, for programs that get its ``environment``."""
    with new_bucket(storage) as made:
        yield made


@pytest.fixture(scope="module")  # its event loop must not be there for the tests of other files
def browser() -> Iterator[Any]:
    """Chromium, headless; skips the test where there is none. CUTLINE_BROWSER names another one."""
    from playwright.sync_api import sync_playwright

    found = os.environ.get("CUTLINE_BROWSER") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if not found:
        pytest.skip("needs a browser: install chromium, or set CUTLINE_BROWSER")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


# The files that take longest, the longest first: they start first, so that no worker has one left when all others are
# done. From `pytest --durations=0`; the order of the others is that of their numbers of tests.
LONGEST = (
    "captioners/test_local_families",
    "ray/test_ray_runs",
    "service/test_queue_deaths",
    "jobs/test_remote_state",
    "ray/test_ray_nodes",
    "plugins/test_isolation",
    "test_docs",
    "captioners/test_local_parallel",
    "studio/test_studio_newcomers",
    "studio/test_studio_editor",
    "captioners/test_openai_endpoints",
    "cli/test_cli_streams",
    "engine/test_engine_outage",
    "captioners/test_local_loading",
    "ray/test_ray_faults",
    "service/test_service_page",
    "captioners/test_local_proof",
    "service/test_openai_face",
    "engine/test_batches_deaths",
    "service/test_service_soak",
    "engine/test_engine_concurrency",
    "cli/test_cli_hostile",
    "engine/test_engine_requests",
    "ray/test_ray_sharing",
    "studio/test_studio_keys",
    "service/test_webhooks",
    "studio/test_studio_page",
    "service/test_service_log",
    "jobs/test_job_storage",
    "ray/test_ray_unfit",
    "studio/test_studio_map_oddities",
    "engine/test_engine_damaged_state",
    "service/test_queue",
    "studio/test_studio_map",
    "studio/test_studio_typed_ahead",
    "captioners/test_proxies",
    "captioners/test_local_chain",
    "cli/test_cli_serve",
    "plugins/test_guard",
    "service/test_service_key",
    "test_containers",
    "engine/test_engine_stopping",
    "service/test_service_outage",
    "captioners/test_servers_ending",
    "cli/test_cli_embed",
    "engine/test_engine_kills",
    "studio/test_studio_proposals_page",
    "studio/test_studio_generation",
    "service/test_service_overload",
    "ray/test_ray_cluster",
    "ray/test_ray_summaries",
    "studio/test_studio_first_steps",
    "service/test_hosts",
    "studio/test_studio_late_responses",
    "captioners/test_local_ending",
    "studio/test_studio_crash",
    "filters/test_near",
    "cli/test_cli_summary",
    "studio/test_studio_stale_filter",
    "service/test_service_metrics",
    "studio/test_studio_late_rows",
)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Twice as many workers as there are processors: much of what is tested waits for a time or a process."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 2 * cores


def pytest_configure(config):
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False  # files start in the order of pytest_collection_modifyitems


def _longest_first(items):
    """Sort by files: those of ``LONGEST``, then those with most tests."""
    places = {name: place for place, name in enumerate(LONGEST)}
    tests = Path(__file__).parent
    files = {
        path: path.relative_to(tests).with_suffix("").as_posix() for path in {item.path for item in items}
    }
    counts = collections.Counter(item.path for item in items)
    items.sort(
        key=lambda item: (places.get(files[item.path], len(places)), -counts[item.path], files[item.path])
    )


def pytest_collection_modifyitems(config, items):
    if hasattr(config, "workerinput"):
        _longest_first(items)
    if os.environ.get("CUTLINE_SOAK"):
        return
    for item in items:
        if item.get_closest_marker("soak"):
            item.add_marker(pytest.mark.skip(reason="a long test: run by make soak"))
