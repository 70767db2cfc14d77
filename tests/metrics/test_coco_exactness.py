"""The scores are those of the reference implementation, for all captions and for each."""

from __future__ import annotations

import coco
import numpy as np
import pytest

from cutline.metrics.bleu import Bleu
from cutline.metrics.cider import CiderD
from cutline.metrics.coco_tokenizer import corpus_of
from cutline.metrics.meteor import Meteor
from cutline.metrics.rouge import RougeL

METRICS = {"bleu": Bleu, "cider-d": CiderD, "rouge-l": RougeL, "meteor": Meteor}


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("case", ["coco_fakecap_1000", *coco.CASES, "long_100"])
def test_scores_are_those_of_the_reference(shared_data, case, metric):
    if metric == "meteor":
        pytest.importorskip("pycocoevalcap", reason="needs the extra metrics")
    captions, references, expected = coco.material(shared_data / "caption-metrics", case)
    for score in METRICS[metric]().scores(corpus_of(captions, references)):
        name = coco.NAMES[score.name]
        assert score.value == pytest.approx(expected["scores"][name], abs=1e-9)
        assert np.abs(score.by_caption - expected["per_image"][name]).max() < 1e-7
