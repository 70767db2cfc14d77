"""Tokens are those of coco-caption's tokenizer, and no character of a caption ends it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutline.metrics.coco_tokenizer import CocoTokenizer, corpus_of
from cutline.metrics.rouge import RougeL


def test_hard_lines(shared_data):
    tokenizer = CocoTokenizer()
    text = (shared_data / "caption-metrics/ptb_cases.jsonl").read_text("utf-8")
    lines = map(json.loads, text.strip().split("\n"))
    assert [line["text"] for line in lines if tokenizer.tokens(line["text"]) != line["tokens"]] == []


def test_all_captions_that_were_published_with_their_tokens(shared_data):
    folder, tokenizer = shared_data / "caption-metrics", CocoTokenizer()

    def load(name):
        return json.loads((folder / f"en_captions_val2014_{name}.json").read_text())

    rows = json.loads((folder / "en_captions_val2014.json").read_text())["annotations"]
    texts = {}
    for row in rows:
        texts.setdefault(str(row["image_id"]), []).append(" ".join(tokenizer.tokens(row["caption"])))
    assert {key: sorted(found) for key, found in texts.items()} == {
        key: sorted(found) for key, found in load("references_after_tokenization").items()
    }
    found = {
        str(row["image_id"]): [" ".join(tokenizer.tokens(row["caption"]))] for row in load("fakecap_results")
    }
    assert found == load("results_after_tokenization")
    assert sum(map(len, texts.values())) + len(found) == 6005


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("A dog, running.", "a dog running"),
        ("It's Mr. Brown's; he can't, won't", "it 's mr. brown 's he ca n't wo n't"),
        ("You cannot say gonna", "you can not say gon na"),
        ("Plan B. The end", "plan b the end"),
        ("by J. Smith", "by j. smith"),
        ("No. 5, and no. Really", "no. 5 and no really"),
        ("a half-eaten (red) apple", "a half-eaten -lrb- red -rrb- apple"),
        ("in 10:30 for $5.00 or £3", "in 10:30 for $ 5.00 or # 3"),
        ("a crème-brûlée ❤️ 😀 1️⃣", "a crème-brûlée ❤ 1"),
        ("see www.example.com/a.b, or a@b.org now", "see www.example.com/a.b or a@b.org now"),
        ("", ""),
        (" \n\t ", ""),
    ],
)
def test_tokens_of_words_and_signs(text, tokens):
    assert CocoTokenizer().tokens(text) == tokens.split()


BREAKS = ("\n", "\r", "\r\n", "\v", "\f", "\x1c", "\x85", "\u2028", "\u2029")


@pytest.mark.parametrize("sign", [*BREAKS, "|||", "\0", "\ufeff", "\ud800"])
def test_no_character_moves_the_captions_behind_it(sign):
    captions = [f"a red{sign}bus", "a cat on a mat", "two dogs run"]
    score = RougeL().scores(corpus_of(captions, [["a red bus"], ["a cat on a mat"], ["two dogs run"]]))[0]
    assert score.by_caption[1:].tolist() == [1.0, 1.0]
    assert score.by_caption[0] > 0.6
    if sign in BREAKS:
        assert CocoTokenizer().tokens(captions[0]) == ["a", "red", "bus"]


@given(st.text(), st.text())
def test_a_text_has_the_same_tokens_whatever_came_before(text, before):
    tokenizer = CocoTokenizer()
    tokenizer.tokens(before)
    tokens = tokenizer.tokens(text)
    assert tokens == CocoTokenizer().tokens(text)
    assert all(token and not token.isspace() and token == token.lower() for token in tokens)


@given(
    st.lists(st.sampled_from(["a", "cat", "the", "Mr.", "dog's", "red", "3", "U.S.", "and/or"]), min_size=1)
)
def test_blanks_of_any_kind_and_number_make_no_difference(words):
    tokenizer = CocoTokenizer()
    assert tokenizer.tokens(" ".join(words)) == tokenizer.tokens("\u3000\n ".join(words) + "\t")
