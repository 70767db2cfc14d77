"""The parts that keep order and record: any order of completion, any damage to the journal."""

from __future__ import annotations

import contextlib
import tempfile
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutline.engine.fingerprint import Fingerprint
from cutline.engine.journal import Journal
from cutline.engine.output import SourceDigest
from cutline.engine.reorder import PictureMemory, Reorder
from cutline.errors import JobChanged
from cutline.job import Job
from cutline.records import Caption, Failure, Reply, Sample, Skip, Step, Usage


def entry(number, size):
    key = f"{number}.png"
    return Sample(key=key, location=None), Skip(key=key, reason="none"), bytes(size)


@given(
    order=st.integers(0, 60).flatmap(lambda count: st.permutations(range(count))),
    first=st.integers(0, 5),
    entries=st.integers(0, 6),
    size=st.integers(0, 400),
    takes=st.randoms(use_true_random=False),
)
@settings(max_examples=150, deadline=None)
def test_whatever_comes_in_any_order_leaves_in_order(order, first, entries, size, takes):
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        reorder = stack.enter_context(
            contextlib.closing(
                Reorder(Path(folder), first=first, max_entries=entries, memory=PictureMemory(1000))
            )
        )
        taken = []
        for index in order:
            reorder.put(first + index, entry(first + index, size))
            assert len(reorder._held) <= entries + 1
            if takes.random() < 0.3:
                taken += reorder.take(takes.randrange(1, 9))
        while more := reorder.take():
            taken += more
        assert [sample.key for sample, _, _ in taken] == [f"{first + n}.png" for n in range(len(order))]
        assert all(len(data) == size for _, _, data in taken)
        assert len(reorder) == 0
        assert reorder.next == first + len(order)
        assert not any(Path(folder).iterdir()), "the file has a name"


def test_what_waits_for_one_slow_picture_is_not_in_memory(tmp_path):
    reorder = Reorder(tmp_path)
    tracemalloc.start()
    for number in range(1, 400):
        reorder.put(number, entry(number, 1_000_000))
    held, _ = tracemalloc.get_traced_memory()
    assert held < 80e6
    tracemalloc.reset_peak()
    reorder.put(0, entry(0, 1))
    while reorder.take():
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 150e6, "all was read back at once"
    assert reorder.next == 400
    reorder.close()


def test_it_is_full_before_the_disk_is(tmp_path):
    reorder = Reorder(tmp_path, memory=PictureMemory(1000), max_spilled=10_000_000)
    for number in range(1, 10):
        assert not reorder.full
        reorder.put(number, entry(number, 1_200_000))
    assert reorder.full
    reorder.put(0, entry(0, 1))
    while reorder.take():
        pass
    assert not reorder.full
    reorder.close()


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
usages = st.builds(Usage, prompt_tokens=st.integers(0, 9), completion_tokens=st.integers(0, 9))
replies = st.builds(
    Reply,
    text=texts,
    model=texts,
    usage=usages,
    finish_reason=st.none() | texts,
    seconds=st.floats(0, 9),
    raw=st.none()
    | st.dictionaries(texts, st.none() | st.booleans() | st.integers(-9, 9) | texts, max_size=3),
)
steps = st.lists(st.builds(Step, name=texts, prompt_id=texts, text=texts, reply=replies), max_size=2).map(
    tuple
)
useless = st.dictionaries(texts, usages, max_size=2)
keys = st.sampled_from([f"{n}.png" for n in range(12)] + ["ü\n\"'\N{GRINNING FACE}.png"])
outcomes = st.one_of(
    st.builds(
        Caption, key=keys, text=texts, steps=steps, existing=st.none() | texts, content_id=st.just("2|1||")
    ),
    st.builds(Skip, key=keys, reason=texts),
    st.builds(
        Failure, key=keys, kind=texts, message=texts, attempts=st.integers(0, 3), steps=steps, useless=useless
    ),
)
FINGERPRINT = Fingerprint.of(Job(input_path="in"), model="m", prompt_ids=("a",))
OTHER = Fingerprint.of(Job(input_path="in"), model="m", prompt_ids=("b",))


def reopened(path, fingerprint=FINGERPRINT, *, on_change="keep", retry_failed=False):
    journal = Journal(path)
    journal.load()
    journal.begin(fingerprint, on_change=on_change, retry_failed=retry_failed)
    journal.start()
    return journal


def cost(outcome):
    useless = sum(usage.total for usage in outcome.useless.values())
    return useless + sum(step.reply.usage.total for step in outcome.steps)


@given(runs=st.lists(st.lists(outcomes, max_size=8), max_size=4), cut=st.integers(0, 400))
@settings(max_examples=150, deadline=None)
def test_the_last_outcome_of_each_key_is_read_back_whatever_was_cut_off(runs, cut):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.jsonl"
        last, total, lengths = {}, 0, []
        for run in runs:
            journal = reopened(path)
            for outcome in run:
                journal.append(outcome)
                lengths.append((path.stat().st_size, outcome))
            journal.close()
        if path.exists():
            path.write_bytes(path.read_bytes()[: path.stat().st_size - cut])
        left = path.stat().st_size if path.exists() else 0
        for end, outcome in lengths:
            if end <= left:
                last[outcome.key] = outcome
                total += 0 if isinstance(outcome, Skip) else cost(outcome)
        journal = reopened(path)
        assert {key: journal.get(key) for key in last} == last
        assert len(journal) == len(last)
        assert journal.get("another.png") is None
        assert journal.spent.usage.total == total
        journal.close()


@given(
    runs=st.lists(
        st.tuples(st.lists(outcomes, max_size=8), st.sampled_from(["go on", "retry", "redo"])), max_size=5
    )
)
@settings(max_examples=150, deadline=None)
def test_what_a_run_gave_up_stays_given_up_and_first_words_stay_known(runs):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.jsonl"
        counted, before, prompt = {}, {}, 0
        for run, how in runs:
            if how == "retry":
                counted = {k: o for k, o in counted.items() if not isinstance(o, Failure)}
            if how == "redo":
                prompt += 1
                before |= {k: o for k, o in counted.items() if isinstance(o, Caption)}
                counted = {}
            print_ = Fingerprint.of(Job(input_path="in"), model="m", prompt_ids=(str(prompt),))
            journal = reopened(path, print_, on_change="redo-all", retry_failed=how == "retry")
            assert len(journal) == len(counted)
            for key in {*counted, *before}:
                assert journal.get(key) == counted.get(key)
                assert journal.earlier(key) == before.get(key)
            for outcome in run:
                journal.append(outcome)
                counted[outcome.key] = outcome
            journal.close()


@given(outcomes=st.lists(outcomes, min_size=1, max_size=8), data=st.data())
@settings(max_examples=150, deadline=None)
def test_no_damage_to_a_line_is_mistaken_for_an_outcome_or_stops_the_run(outcomes, data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.jsonl"
        journal = reopened(path)
        for outcome in outcomes:
            journal.append(outcome)
        journal.close()
        rows = path.read_bytes().splitlines(keepends=True)
        place = data.draw(st.integers(0, len(rows) - 1))
        junk = data.draw(
            st.sampled_from(
                [b"", b"null", b"3", b'"run"', b"[]", b"{}", b'{"key": []}', b"\x00\xff", b'{"key": "0.png"}']
            )
        )
        rows[place] = junk + b"\n"
        path.write_bytes(b"".join(rows))
        journal = reopened(path, on_change="keep")  # the line with the settings may be the damaged one
        for outcome in outcomes:
            assert journal.get(outcome.key) in [None, *outcomes]
        assert journal.damaged_lines == 1
        journal.close()


def test_another_job_is_refused_and_changes_nothing(tmp_path):
    path = tmp_path / "journal.jsonl"
    journal = reopened(path)
    journal.append(Skip(key="a", reason="none"))
    journal.close()
    content = path.read_bytes()
    with pytest.raises(JobChanged, match="prompts"):
        reopened(path, OTHER, on_change="refuse")
    assert path.read_bytes() == content


@given(st.lists(texts), st.lists(texts))
def test_a_chain_of_keys_tells_two_beginnings_apart(one, two):
    chains = SourceDigest(), SourceDigest()
    for chain, names in zip(chains, (one, two), strict=True):
        for name in names:
            chain.add(name.replace("\0", ""), "")
    same = [name.replace("\0", "") for name in one] == [name.replace("\0", "") for name in two]
    assert (chains[0].digest == chains[1].digest) == same
