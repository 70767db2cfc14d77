"""What Ray shows of a run to whoever looks at the cluster: names, and no key."""

from __future__ import annotations

import json

import pytest

from processes import start_cutline, wait_until

pytest.importorskip("ray", reason="needs the extra ray")

KEY = "sk-of-the-command-line-0123456789"
# The tables of Ray that its dashboard shows.
TABLES = """
import json, sys
import ray
ray.init(address=sys.argv[1], log_to_driver=False, logging_level="ERROR")
client = ray._private.worker.global_worker.gcs_client
jobs = [str(job) for job in client.get_all_job_info().values()]
actors = [actor["name"] for actor in ray.util.list_named_actors(all_namespaces=True)]
print(json.dumps([jobs, actors]))
"""


def tables(cluster):
    return json.loads(cluster.python(TABLES).splitlines()[-1])


def test_a_key_of_the_command_line_is_not_shown(new_endpoint, pictures, tmp_path, cluster):
    endpoint = new_endpoint(latency=0.5, key=KEY)
    run = start_cutline(
        *("caption", pictures(200), tmp_path / "captions.jsonl", "--api-key", KEY),
        *endpoint.arguments(max_concurrent_requests=2),
        *cluster.arguments(),
    )
    wait_until(lambda: endpoint.stats()["pictures"] >= 4 or run.poll() is not None)
    assert run.poll() is None, run.communicate()
    jobs, actors = tables(cluster)
    assert any("cutline pictures" in job for job in jobs)
    assert any("cutline pictures" in actor for actor in actors)
    assert not any(KEY in text for text in (*jobs, *actors))
    run.kill()
