"""Texts of any origin: read by the evidence of all, extended in their own encoding, left alone when unsure."""

# ruff: noqa: RUF001 - full-width punctuation is in them

from __future__ import annotations

import pytest

from cutline import caption
from cutline.errors import ConfigError
from cutline.sidecars import TextDecoder
from cutline.sidecars.detection import detect

TEXTS = {
    "cp1252": [
        "un café à Besançon, été",
        "Ein großer Bär läuft über die Straße",
        "it’s a “quoted” dog – yes",
    ],
    "gb18030": ["一个女孩站在海边", "红色汽车，蓝天", "1girl, 红色头发, solo", "天空"],
    "cp950": ["一個女孩站在海邊", "紅色汽車，藍天", "長髮, 制服"],
    "cp932": ["海辺に立つ少女", "1girl, ソロ, 制服", "青空"],
    "euc_jp": ["海辺に立つ少女", "赤い車と青い空"],
    "cp949": ["바닷가에 서 있는 소녀", "빨간 자동차", "하늘"],
    "cp1251": ["девушка стоит на берегу", "красная машина", "кот"],
    "koi8_r": ["девушка стоит на берегу", "красная машина"],
    "cp1250": ["zażółć gęślą jaźń", "Kot śpi na łóżku w małym pokoju"],
    "cp1253": ["μια γάτα στον καναπέ", "σκύλος στο πάρκο"],
    "utf-16-le": ["a cat on a sofa", "un café\r\n", "猫, dog"],
    "utf-16-be": ["a cat on a sofa", "un café\r\n", "猫, dog"],
}


@pytest.fixture
def dataset(tmp_path):
    def make(texts):
        from PIL import Image

        folder = tmp_path / "photos"
        folder.mkdir()
        for number, data in enumerate(texts):
            Image.new("RGB", (16, 12), (200, number, 30)).save(folder / f"{number}.png")
            (folder / f"{number}.txt").write_bytes(data)
        return folder

    return make


def run(folder, output=None, **options):
    return caption(
        str(folder),
        str(output or folder),
        **{"model": "fake", "output_format": "sidecar", "existing": "append", "allow_failures": 9, **options},
    )


@pytest.mark.parametrize("encoding", TEXTS)
def test_a_folder_of_one_encoding_is_extended_in_it(encoding, dataset):
    before = [text.encode(encoding) for text in TEXTS[encoding]]
    folder = dataset(before)
    done = run(folder)
    assert done.report.counts.failures == 0
    for number, data in enumerate(before):
        after = (folder / f"{number}.txt").read_bytes()
        end = "\r\n".encode(encoding) if data.endswith("\r\n".encode(encoding)) else b""
        assert after.startswith(data.removesuffix(end))
        assert "checksum" in after.decode(encoding)
        assert after.endswith(end)
    assert any(f"read as {encoding}" in line for line in done.report.warnings)


@pytest.mark.parametrize("encoding", ["cp1252", "gb18030", "utf-16-be"])
def test_texts_are_read_for_the_output_and_the_prompt(encoding, dataset, tmp_path):
    folder = dataset([text.encode(encoding) for text in TEXTS[encoding]])
    output = tmp_path / "out.parquet"
    run(folder, output, output_format="parquet", existing=None, prompt="{text}?")
    from pyarrow import parquet

    texts = parquet.read_table(output)["text"].to_pylist()
    assert texts == [text.strip() for text in TEXTS[encoding]]


@pytest.mark.parametrize(
    "data", [b"\x94\x4c", b"a\0b", b"a cat\0 on a mat.", "caf\u00e9\0 noir".encode(), b"\xd6\xd0"]
)
def test_an_uncertain_text_keeps_its_bytes_and_is_named(data, dataset):
    folder = dataset([b"fine", data])
    done = run(folder)
    assert (folder / "1.txt").read_bytes() == data
    assert (folder / "0.txt").read_bytes().startswith(b"fine, ")
    assert done.report.counts.kinds == {"sidecar": 1}
    [row] = done.report.failed
    assert "1.txt" in row["message"]
    assert "text_encoding" in row["message"]
    assert done.report.fresh.captions == 1


def test_a_named_encoding_is_read_and_written(dataset):
    folder = dataset(["猫".encode("cp932"), "café".encode("cp932", "replace"), b""])
    (folder / "2.txt").unlink()
    assert run(folder).report.counts.kinds == {"sidecar": 1}
    done = run(folder, text_encoding="shift_jis", caption_prefix="犬")
    assert done.report.counts.failures == 0
    assert done.report.fresh.captions == 1  # the same command with the option: the others are written again
    assert (folder / "0.txt").read_bytes().decode("shift_jis").startswith("猫")
    assert (folder / "2.txt").read_bytes().decode("shift_jis").startswith("犬")


def test_other_outputs_need_no_text_that_is_uncertain(dataset, tmp_path):
    folder = dataset([b"\x94\x4c", b"fine"])
    done = run(folder, tmp_path / "a.jsonl", output_format=None, existing=None)
    assert done.report.counts.captions == 2
    assert any("unknown encoding" in line for line in done.report.warnings)
    done = run(folder, tmp_path / "b.jsonl", output_format=None, existing=None, prompt="Is it {text}?")
    assert done.report.counts.kinds == {"sidecar": 1}
    done = run(folder, tmp_path / "c.jsonl", output_format=None, existing="append")
    assert done.report.counts.kinds == {"sidecar": 1}
    done = run(folder, tmp_path / "d.jsonl", output_format=None, existing="skip", allow_failures=0)
    assert done.report.counts.reasons == {"captioned already": 2}


@pytest.mark.parametrize("name", ["no-such", "base64", "rot13", ""])
def test_what_is_no_encoding_is_refused(name, dataset):
    folder = dataset([b"fine"])
    if not name:
        assert TextDecoder("").decode(b"a").text == "a"
        return
    with pytest.raises(ConfigError, match="is not a text encoding"):
        run(folder, text_encoding=name)


@pytest.mark.parametrize(
    ("encoding", "text"), [("cp1250", "zielona łąka"), ("cp1254", "kedi, ağaç"), ("gb18030", "女孩")]
)
def test_little_evidence_is_right_or_unsure(encoding, text):
    assert detect([text.encode(encoding)]) in {None, encoding}


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("gb18030", "一只猫坐在垫子上，红色的汽车"),
        ("cp932", "公園で二人の人が散歩している"),
        ("cp1251", "девушка стоит на берегу моря"),
    ],
)
def test_a_text_in_another_script_is_read_as_it_is_among_others(encoding, text, dataset, tmp_path):
    french = ["un café très noir à Paris", "une fenêtre près du château, été"]
    folder = dataset([*(one.encode("cp1252") for one in french), text.encode(encoding)])
    decoder = TextDecoder(root=str(folder))
    read = [decoder.decode((folder / f"{number}.txt").read_bytes(), str(folder)) for number in range(3)]
    assert [(one.text, one.encoding) for one in read] == [
        *((one, "cp1252") for one in french),
        (text, encoding),
    ]
    run(folder, caption_prefix="x")
    assert (folder / "2.txt").read_bytes().decode(encoding).startswith(text)
