"""Batches from Python."""

from __future__ import annotations

import pytest
from batching import keys, outcomes

import cutline
from cutline.errors import ConfigError


def test_a_batch_from_its_first_call_to_its_last(service, pictures, tmp_path):
    folder, output = pictures(12), tmp_path / "captions.jsonl"
    lines = []
    sent = cutline.batch_submit(
        folder,
        output,
        model="test",
        endpoint=service.url,
        prompt={"short": "Be short.", "long": "Be long."},
        max_file_requests=10,
        progress=lambda progress: lines.append(progress.waiting_for),
    )
    assert (sent.stats.pictures, sent.stats.requests, sent.stats.batches) == (12, 24, 3)
    assert any(line.startswith("sending file 1") for line in lines)
    assert {batch.status for batch in cutline.batch_status(output).batches} == {"validating"}
    early = cutline.batch_collect(output)
    assert early.report.counts.reasons == {"under way in a batch": 12}
    assert len(early.status.under_way) == 3
    service.configure(auto=True)
    result = cutline.batch_collect(output, wait=True)
    assert result.report.counts.captions == 12
    assert result.status.open_batches == []
    assert keys(output) == sorted(outcomes(output))
    assert cutline.batch_collect(output).report is None
    again = cutline.caption(
        folder, output, model="test", endpoint=service.url, prompt={"short": "Be short.", "long": "Be long."}
    )
    assert again.report.fresh.total == 0


def test_giving_up_frees_the_pictures(service, pictures, tmp_path):
    folder, output = pictures(3), tmp_path / "captions.jsonl"
    cutline.batch_submit(folder, output, model="test", endpoint=service.url)
    with pytest.raises(ConfigError, match="3 pictures of this output are in batches"):
        cutline.caption(folder, output, model="test", endpoint=service.url)
    assert [batch.status for batch in cutline.batch_cancel(output).batches] == ["cancelling"]
    service.advance("cancelled", share=0)
    assert cutline.batch_collect(output).report.counts.kinds == {"cancelled": 3}
    assert cutline.caption(folder, output, model="test", endpoint=service.url).report.counts.captions == 3


def test_pictures_in_memory_cannot_wait_a_day(tmp_path):
    with pytest.raises(ConfigError, match="give a path, not pictures"):
        cutline.batch_submit([b"..."], tmp_path / "captions.jsonl", model="openai:gpt-4o-mini")
    with pytest.raises(ConfigError, match="has no option 'max_sied'"):
        cutline.batch_submit("photos", tmp_path / "captions.jsonl", model="openai:gpt-4o-mini", max_sied=3)
