"""Runs on a cluster of which something is killed again and again."""

from __future__ import annotations

import random

from processes import cutline, start_cutline, wait_until

IN_FLIGHT = 16
VICTIMS = ("driver", "driver", "worker")


def run_with_kills(endpoint, cluster, folder, output, *, form, kills, seed, victims=VICTIMS):
    """The same command until it ends; one of ``victims`` is killed each time. Returns the last run.

    A node that is killed is replaced by a new one, and must have joined the cluster after its start.
    """
    chance, total, killed = random.Random(seed), len(list(folder.iterdir())), 0
    node = cluster.join() if "node" in victims else None
    arguments = [
        *("caption", folder, output, "--output-format", form, "--quiet", "--samples-per-task", 16),
        *endpoint.arguments(max_concurrent_requests=IN_FLIGHT),
        *cluster.arguments(),
    ]
    run = start_cutline(*arguments)
    while killed < kills:
        answered = endpoint.stats()["pictures"]
        target = answered + chance.randint(1, max(1, (total - answered) // (kills - killed)))
        wait_until(lambda: endpoint.stats()["pictures"] >= target or run.poll() is not None)  # noqa: B023
        if run.poll() is not None:
            break
        victim, workers = chance.choice(victims), cluster.workers(endpoint)
        print(f"{answered} pictures; killing a {victim}")
        if victim == "node":
            node.kill()
            node = cluster.join()
        elif victim == "worker" and workers:
            chance.choice(workers).kill()
        else:
            run.kill()
            run.communicate()
            run = start_cutline(*arguments)
        killed += 1
    _, errors = run.communicate()
    assert run.returncode == 0, errors
    print(f"killed {killed} times; {endpoint.stats()['twice']} of {total} answered twice")
    return cutline(*arguments)
