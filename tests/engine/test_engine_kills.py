"""A run that is killed at any moment continues by the same command, and every picture ends once."""

from __future__ import annotations

import random
import time

import pytest

from engine_outputs import NAMES, captions, check_once_each
from engine_pictures import fill
from processes import cutline, start_cutline, wait_until

IN_FLIGHT = 16


def run_with_kills(endpoint, folder, output, form, *, kills, seed):
    """Run the same command until it ends, killing it ``kills`` times; returns the last run."""
    total = len(list(folder.iterdir()))
    arguments = [
        *("caption", folder, output, "--output-format", form, "--quiet"),
        *(("--samples-per-shard", total // 7) if form == "webdataset" else ()),
        *endpoint.arguments(max_concurrent_requests=IN_FLIGHT),
    ]
    chance = random.Random(seed)
    killed = 0
    while killed < kills:
        process = start_cutline(*arguments)
        # By the count of answers, so that the kills spread over the run however fast it is.
        answered = endpoint.stats()["pictures"]
        target = answered + chance.randint(0, max(1, (total - answered) // (kills - killed)))
        if chance.random() < 0.1:
            time.sleep(chance.uniform(0.1, 0.6))  # while it starts or finds out where it was
        else:
            wait_until(
                lambda: endpoint.stats()["pictures"] >= target or process.poll() is not None,  # noqa: B023
                every=0.005,
            )
            time.sleep(chance.uniform(0, 0.08))
        if process.poll() is not None:
            break
        process.kill()
        process.communicate()
        killed += 1
    print(f"killed {killed} times; {endpoint.stats()['twice']} of {total} answered twice")
    return cutline(*arguments)


@pytest.mark.parametrize("form", NAMES)
def test_three_kills_lose_nothing_and_double_nothing(form, endpoint, pictures, tmp_path):
    endpoint.configure(latency=0.02, slots=IN_FLIGHT)
    folder, output = pictures(120), tmp_path / NAMES[form]
    done = run_with_kills(endpoint, folder, output, form, kills=3, seed=sorted(NAMES).index(form))
    assert done.returncode == 0, done.stderr
    check_once_each(endpoint, folder, output, form, twice=3 * IN_FLIGHT)


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("form", NAMES)
def test_a_hundred_kills_in_each_format(form, new_endpoint, tmp_path):
    endpoint = new_endpoint(latency=0.2, slots=IN_FLIGHT)
    folder, output = tmp_path / "pictures", tmp_path / NAMES[form]
    fill(folder, 2000)
    done = run_with_kills(endpoint, folder, output, form, kills=100, seed=100 + sorted(NAMES).index(form))
    assert done.returncode == 0, done.stderr
    check_once_each(endpoint, folder, output, form, twice=100 * IN_FLIGHT)


def test_a_kill_while_the_output_is_written_anew_is_made_good(endpoint, pictures, tmp_path):
    """A new first picture moves all others; the output is rebuilt, and the rebuilding is killed too."""
    folder, output = pictures(150), tmp_path / "captions.jsonl"
    arguments = ("caption", folder, output, "--quiet", *endpoint.arguments())
    assert cutline(*arguments).returncode == 0
    (folder / "00149.png").rename(folder / "0000-first.png")
    for delay in (0.25, 0.3, 0.35, 0.4):
        process = start_cutline(*arguments)
        time.sleep(delay)
        process.kill()
        process.communicate()
    (folder / "0000-first.png").rename(folder / "00149.png")
    assert cutline(*arguments).returncode == 0
    assert [key for key, _ in captions("jsonl", output)] == sorted(path.name for path in folder.iterdir())
