"""Sentences unlike the picture are dropped by the scores that transformers itself gives."""

from __future__ import annotations

import asyncio
import io
import itertools
import time

import numpy as np
import pytest
from PIL import Image, ImageDraw

torch = pytest.importorskip("torch", reason="needs the extra local")
pytest.importorskip("transformers", reason="needs the extra local")

from transformers import AutoModel, AutoProcessor  # noqa: E402

from cutline.checks.similarity import Similarity, SimilarityOptions  # noqa: E402
from cutline.checks.texts import CheckedText  # noqa: E402
from cutline.imaging import Picture  # noqa: E402
from cutline.interfaces import Draft  # noqa: E402
from cutline.locations.stored import InlineBytes  # noqa: E402
from cutline.records import Sample  # noqa: E402
from tiny_clip import save_clip  # noqa: E402

CAPTION = "A red dog runs. The sky is grey!\n\nTwo people read in the grass. Nobody sings. It is cold."
SENTENCES = [
    "A red dog runs.",
    "The sky is grey!",
    "Two people read in the grass.",
    "Nobody sings.",
    "It is cold.",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_clip(tmp_path_factory.mktemp("clip"))


def image(number):
    drawn = Image.new("RGB", (48 + 8 * number, 64), ("crimson", "seagreen", "gold", "navy")[number % 4])
    ImageDraw.Draw(drawn).ellipse((4, 4, 12 + 3 * number, 40), fill="white")
    return drawn


def picture(number=0):
    buffer = io.BytesIO()
    image(number).save(buffer, "PNG")
    return Picture(InlineBytes(buffer.getvalue(), f"{number}.png"))


def scores(folder, number, sentences):
    """The cosines by the library's own calls, one text at a time."""
    model, processor = AutoModel.from_pretrained(folder).eval(), AutoProcessor.from_pretrained(folder)
    with torch.inference_mode():
        seen = model.get_image_features(**processor(images=image(number), return_tensors="pt")).pooler_output
        read = [
            model.get_text_features(**processor.tokenizer([text], return_tensors="pt")).pooler_output
            for text in sentences
        ]
    return [float(torch.nn.functional.cosine_similarity(seen, one)[0]) for one in read]


def similar(folder, minimum=0.0):
    return Similarity(SimilarityOptions(minimum=minimum, model=str(folder), device="cpu"))


def draft(number, *texts):
    """The first text as the caption, the others as its fields."""
    seen = picture(number)
    sample = Sample(key=f"{number}.png", location=None)
    return Draft(sample=sample, picture=seen, text=texts[0], fields={"other": list(texts[1:])})


def check(folder, least, *texts, number=0):
    """What is left of each text, with its note; fields that lost nothing have none."""

    async def checked():
        similarity = similar(folder, least)
        await similarity.open(lambda line: None)
        try:
            return await similarity.check(draft(number, *texts))
        finally:
            await similarity.aclose()

    result = asyncio.run(checked())
    notes = result.note.get("fields", {})
    others = [
        CheckedText(text=text, note=notes.get(f"other.{place}", {"dropped": []}))
        for place, text in enumerate(result.fields["other"])
    ]
    return [CheckedText(text=result.text, note=result.note), *others]


@pytest.mark.parametrize("number", [0, 1, 2])
def test_sentences_below_the_threshold_are_dropped(folder, number):
    expected = scores(folder, number, SENTENCES)
    least = sorted(expected)[2]  # below it are two
    (result,) = check(folder, least - 1e-4, CAPTION, number=number)
    dropped = [(text, score) for text, score in zip(SENTENCES, expected, strict=True) if score < least]
    assert [item["text"] for item in result.note["dropped"]] == [text for text, _ in dropped]
    assert [item["score"] for item in result.note["dropped"]] == pytest.approx(
        [s for _, s in dropped], abs=1e-4
    )
    assert result.note["kept"] == pytest.approx([score for score in expected if score >= least], abs=1e-4)
    kept = [text for text in SENTENCES if text not in dict(dropped)]
    assert result.text.split() == " ".join(kept).split()


def test_a_low_threshold_leaves_the_text_as_it_was(folder):
    (result,) = check(folder, -1, f"  {CAPTION} ")
    assert result.text == f"  {CAPTION} "
    assert result.note["dropped"] == []


def test_of_a_text_that_is_all_below_the_best_sentence_stays(folder):
    expected = scores(folder, 0, SENTENCES)
    (result,) = check(folder, 1, CAPTION)
    assert result.text == SENTENCES[int(np.argmax(expected))]
    assert len(result.note["dropped"]) == 4


def test_a_higher_threshold_never_keeps_more(folder):
    kept = [set(check(folder, least, CAPTION)[0].text.split()) for least in np.linspace(-0.5, 0.6, 8)]
    assert all(later <= earlier for earlier, later in itertools.pairwise(kept))
    assert len(kept[0]) > len(kept[-1]) > 0


def test_each_text_is_judged_for_itself(folder):
    results = check(folder, 1, "Nobody sings. It is cold.", "grass", "", "A red dog runs. Nobody sings.")
    assert [len(result.note["dropped"]) for result in results] == [1, 0, 0, 1]
    assert results[1].text == "grass"
    assert results[2].text == ""


def test_a_sentence_longer_than_the_model_reads_is_judged_in_parts(folder):
    clause = "the red dog and the other dog are reading in the long grass, "
    long = f"{clause}{clause}{clause}and the sky is grey."
    (result,) = check(folder, 1, long)
    pieces = [item["text"] for item in result.note["dropped"]]
    assert len(pieces) >= 1
    assert result.text
    tokenizer = AutoProcessor.from_pretrained(folder).tokenizer
    assert len(tokenizer(long)["input_ids"]) > 77
    assert all(len(tokenizer(piece)["input_ids"]) <= 77 for piece in [*pieces, result.text])


def open_check(folder, least=0.0):
    similarity = similar(folder, least)
    similarity._scorer._clip.load()
    return similarity


def before_encoding(similarity, call):
    """Have the model call ``call`` with the pixels of each batch before it encodes them."""
    vision = similarity._scorer._clip._model().network.vision_model
    vision.register_forward_pre_hook(
        lambda module, args, kwargs: call(kwargs.get("pixel_values", *args[:1])), with_kwargs=True
    )


async def test_pictures_that_wait_are_encoded_together(folder):
    similarity = open_check(folder)
    batches = []
    before_encoding(similarity, lambda pixels: batches.append(len(pixels)))
    results = await asyncio.gather(*(similarity.check(draft(number, CAPTION)) for number in range(12)))
    alone = open_check(folder)
    for number, result in enumerate(results):
        expected = await alone.check(draft(number, CAPTION))
        assert result.text == expected.text
        assert result.note["kept"] == pytest.approx(expected.note["kept"], abs=2e-4)
    assert sum(batches) == 12
    assert len(batches) <= 8


async def test_the_event_loop_goes_on_while_the_model_works(folder):
    similarity = open_check(folder)
    before_encoding(similarity, lambda pixels: time.sleep(0.5))
    ticks = 0
    task = asyncio.create_task(similarity.check(draft(0, CAPTION)))
    while not task.done():
        await asyncio.sleep(0.01)
        ticks += 1
    assert ticks >= 20


async def test_only_the_picture_that_breaks_the_model_fails(folder):
    similarity = open_check(folder)
    bad = AutoProcessor.from_pretrained(folder)(images=image(2), return_tensors="pt")["pixel_values"][0]

    def fussy(pixels):
        if any(torch.allclose(one, bad, atol=1e-3) for one in pixels):
            raise MemoryError

    before_encoding(similarity, fussy)
    results = await asyncio.gather(
        *(similarity.check(draft(number, CAPTION)) for number in range(5)), return_exceptions=True
    )
    assert [isinstance(result, MemoryError) for result in results] == [False, False, True, False, False]


async def test_a_call_that_was_given_up_does_not_hold_up_the_others(folder):
    similarity = open_check(folder)
    given_up = asyncio.create_task(similarity.check(draft(1, CAPTION)))
    others = [asyncio.create_task(similarity.check(draft(number, CAPTION))) for number in range(4)]
    await asyncio.sleep(0)
    given_up.cancel()
    assert len(await asyncio.gather(*others)) == 4
    with pytest.raises(asyncio.CancelledError):
        await given_up
