"""Variables that are written nearly as a setting: a service must not start without what was meant."""

from __future__ import annotations

import pytest
from serving import Service, free_port

from processes import cutline

MEANT = {
    "CUTLINE_SERVICE_KYE": "CUTLINE_SERVICE_KEY",
    "CUTLINE_PRT": "CUTLINE_PORT",
    "CUTLINE_IMAGE_ROT": "CUTLINE_IMAGE_ROOT",
    "CUTLINE_MAX_PICTURE": "CUTLINE_MAX_PICTURES",
    "CUTLINE_API_KEY_FILE": "CUTLINE_SERVICE_KEY_FILE",
    "cutline_host_": "CUTLINE_HOST",
}
OTHERS = {
    "CUTLINE_JOB_MODEL": "fake",
    "CUTLINE_JOB_API_KEY_FILE": "key",
    "CUTLINE_VARIANT": "gpu",
    "CUTLINE_PUBLISHED_PORT": "8001",
    "CUTLINE_ML_ROOT": "/opt/ml",
    "CUTLINE_API_KEY": "of an endpoint",
    "CUTLINE_BROWSER": "chromium",
    "PORT": "1",
}


@pytest.mark.parametrize("place", ["", " in .env"])
@pytest.mark.parametrize("name", MEANT)
def test_a_setting_that_is_misspelt_is_refused(tmp_path, name, place):
    """Before anything listens, with one line that names it and what it should be called."""
    if place:
        (tmp_path / ".env").write_text(f"{name}=abcd1234\n")
    env = {} if place else {name: "abcd1234"}
    ran = cutline("serve", "--port", free_port(), cwd=tmp_path, env=env)
    assert ran.returncode == 2
    assert ran.stderr == f"cutline: {name.upper()}{place} is not a setting: did you mean {MEANT[name]}?\n"


def test_other_names_are_left_alone_and_those_that_nothing_reads_are_told_once(tmp_path):
    (tmp_path / ".env").write_text("CUTLINE_VARIANT=gpu\nPOSTGRES_PASSWORD=p\nCUTLINE_ELSEWHERE=here\n")
    env = {**OTHERS, "CUTLINE_COLOUR": "s3cret-blue"}
    with Service("--model", "fake", cwd=tmp_path, env=env) as service:
        told = [line.partition("WARNING ")[2] for line in service.log.splitlines() if "WARNING" in line]
    said = "cutline.service unknown setting ignored variable="
    assert told == [f"{said}CUTLINE_COLOUR", f"{said}CUTLINE_ELSEWHERE in .env"]
    assert "s3cret-blue" not in service.log
