"""Keys in what endpoints write back: never shown, and nothing else made unreadable."""

from __future__ import annotations

import pytest

from cutline.credentials import Secret


@pytest.mark.parametrize(
    ("key", "text", "shown"),
    [
        ("no", "the key is not accepted, no: 'no'", "the key is not accepted, …: '…'"),
        ("a", "a bad gateway (a)", "… bad gateway (…)"),
        ("k.+y", "kkky k.+y Bearer k.+y", "kkky … Bearer …"),
        ("abcdefg", "abcdefgh abcdefg", "abcdefgh …"),
        ("abcdefgh", "xabcdefghx abcdefgh", "x…x …"),
        ("", "as it was", "as it was"),
    ],
)
def test_a_short_key_is_masked_as_a_word_of_its_own_and_a_long_one_everywhere(key, text, shown):
    assert Secret(key).redact(text) == shown
