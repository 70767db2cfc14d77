"""Measures `cutline eval`'s metrics beside pycocoevalcap, on the same captions.

Without Java, or without pycocoevalcap, only cutline is measured, and that is printed. Captions and
references are put together from those of COCO's published example (`shared/data/caption-metrics`, beside
the project), so that 40,000 pictures have 240,000 different texts.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import json
import random
import resource
import shutil
import time
from pathlib import Path

from cutline.garbage_collection import collect_rarely
from cutline.metrics.bleu import Bleu
from cutline.metrics.cider import CiderD
from cutline.metrics.coco_tokenizer import corpus_of
from cutline.metrics.intervals import intervals
from cutline.metrics.rouge import RougeL

MATERIAL = Path(__file__).resolve().parents[2] / "shared/data/caption-metrics"
REFERENCES = 5


def read_example():
    """Captions and references of the 1,000 published pictures."""
    rows = json.loads((MATERIAL / "en_captions_val2014_fakecap_results.json").read_text())
    captions = {row["image_id"]: row["caption"] for row in rows}
    references = {}
    for row in json.loads((MATERIAL / "en_captions_val2014.json").read_text())["annotations"]:
        references.setdefault(row["image_id"], []).append(row["caption"])
    return list(captions.values()), [references[key][:REFERENCES] for key in captions]


def many(captions, references, count):
    """So many pictures, each text made of the halves of two."""
    randomness = random.Random(1)

    def joined(texts):
        first, second = randomness.choice(texts).split(), randomness.choice(texts).split()
        return " ".join((*first[: len(first) // 2], *second[len(second) // 2 :]))

    every = [text for texts in references for text in texts]
    return [joined(captions) for _ in range(count)], [
        [joined(every) for _ in range(REFERENCES)] for _ in range(count)
    ]


class Clock:
    """Seconds, and CPU seconds of this process and the processes that it waited for."""

    def __init__(self):
        self.steps = {}

    @contextlib.contextmanager
    def step(self, name):
        start, before = time.perf_counter(), self._cpu()
        yield
        seconds, cpu = time.perf_counter() - start, self._cpu() - before
        self.steps[name] = (seconds, cpu)
        print(f"    {name:28} {seconds:8.2f} s   {cpu:8.2f} CPU-s")

    def total(self, *without):
        return sum(seconds for name, (seconds, _) in self.steps.items() if name not in without)

    @staticmethod
    def _cpu():
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(one.ru_utime + one.ru_stime for one in used)


def measure_ours(captions, references, *, meteor):
    clock, values = Clock(), {}
    scores = []
    with clock.step("tokens"):
        corpus = corpus_of(captions, references)
    for metric in (Bleu(), CiderD(), RougeL()):
        with clock.step(metric.name):
            scores += metric.scores(corpus)
    if meteor:
        from cutline.metrics.meteor import Meteor

        with clock.step("meteor"):
            scores += Meteor().scores(corpus)
    values = {score.name: score.value for score in scores}
    with clock.step("intervals"):
        intervals(scores)
    return clock, values


def measure_theirs(captions, references, *, meteor):
    from pycocoevalcap.bleu.bleu import Bleu as TheirBleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    clock, values = Clock(), {}
    wanted = {key: [{"caption": text} for text in texts] for key, texts in enumerate(references)}
    given = {key: [{"caption": text}] for key, text in enumerate(captions)}
    with clock.step("tokens"), contextlib.redirect_stderr(io.StringIO()):
        wanted, given = PTBTokenizer().tokenize(wanted), PTBTokenizer().tokenize(given)
    with clock.step("bleu"), contextlib.redirect_stdout(io.StringIO()):
        found, _ = TheirBleu(4).compute_score(wanted, given, verbose=0)
    values |= {f"BLEU-{order + 1}": value for order, value in enumerate(found)}
    with clock.step("cider-d"):
        values["CIDEr-D"], _ = Cider().compute_score(wanted, given)
    with clock.step("rouge-l"):
        values["ROUGE-L"], _ = Rouge().compute_score(wanted, given)
    if meteor:
        from pycocoevalcap.meteor.meteor import Meteor as TheirMeteor

        with clock.step("meteor"):
            values["METEOR"], _ = TheirMeteor().compute_score(wanted, given)
    return clock, values


def compare(captions, references, *, meteor, java):
    ours, values = measure_ours(captions, references, meteor=meteor)
    if not java:
        return
    print("  pycocoevalcap")
    theirs, expected = measure_theirs(captions, references, meteor=meteor)
    extra = ("intervals",)
    print(f"  without METEOR: {theirs.total('meteor') / ours.total('meteor', *extra):.1f} times as fast")
    if meteor:
        print(f"  with METEOR:    {theirs.total() / ours.total(*extra):.1f} times as fast")
    worst = max(abs(values[name] - value) for name, value in expected.items())
    print(f"  largest difference of a score: {worst:.1e}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=40_000, help="of the large measurement")
    parser.add_argument("--theirs-too", action="store_true", help="pycocoevalcap on that one as well")
    options = parser.parse_args()
    if not MATERIAL.is_dir():
        raise SystemExit(f"needs the captions in {MATERIAL}")
    installed = importlib.util.find_spec("pycocoevalcap") is not None
    java = installed and shutil.which("java") is not None
    if not java:
        print(
            "pycocoevalcap or Java is not here: only cutline is measured"
            + " , without METEOR" * (not installed)
        )
    collect_rarely()
    captions, references = read_example()
    if installed:
        with Clock().step("index of paraphrases, once"):
            from cutline.metrics.meteor_data import paraphrases

            paraphrases()
    print(f"{len(captions):,} pictures, {REFERENCES} references each\n  cutline")
    compare(captions, references, meteor=installed, java=java)
    captions, references = many(captions, references, options.pictures)
    print(f"{len(captions):,} pictures, {REFERENCES} references each, without METEOR\n  cutline")
    compare(captions, references, meteor=False, java=java and options.theirs_too)
    ours = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"  largest memory of this process {ours:,.0f} MB")


if __name__ == "__main__":
    main()
