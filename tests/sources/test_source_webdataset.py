from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import tarfile
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cutline.errors import ConfigError, PictureError
from cutline.sources import SourceOptions, open_source
from cutline.sources.webdataset import WebdatasetSource

quick = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


def tar(members, **options):
    """A tar of (name, data) pairs, or of ready TarInfos."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", **options) as archive:
        for name, data in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(data) if data is not None else 0
            archive.addfile(info, io.BytesIO(data) if data is not None else None)
    return file.getvalue()


def listed(tmp_path, data, name="00000.tar"):
    (tmp_path / name).write_bytes(data)
    return list(open_source(tmp_path / name).samples())


def pairs(count):
    return [
        (f"{n:04}.{ending}", data)
        for n in range(count)
        for ending, data in (("jpg", b"\xff\xd8" + bytes([n]) * 700), ("txt", b"caption %d" % n))
    ]


def link(name, target, kind=tarfile.SYMTYPE):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, None


def test_a_sample_is_picture_text_json_and_the_rest(tmp_path, jpeg):
    (sample,) = listed(
        tmp_path,
        tar([
            ("a/0001.CLS", b"7"), ("a/0001.jpg", jpeg()), ("a/0001.json", b'{"caption": "from json", "n": 1}'),
            ("a/0001.txt", b"from txt\n"), ("a/0001.mask.png", jpeg(form="PNG")),
        ]),
    )  # fmt: skip
    assert sample.key == "a/0001"
    assert sample.text == "from txt"
    assert sample.metadata == {"caption": "from json", "n": 1}
    assert set(sample.members) == {"cls", "json", "txt", "mask.png"}
    assert sample.location.read() == jpeg()
    assert sample.path.endswith("00000.tar/a/0001.jpg")


def test_text_comes_from_any_of_the_usual_members(tmp_path, jpeg):
    samples = listed(
        tmp_path,
        tar([
            ("1.jpg", jpeg()), ("1.caption", b"one"), ("2.jpg", jpeg()), ("2.json", b'{"caption": "two"}'),
            ("3.jpg", jpeg()), ("3.txt.gz", gzip.compress(b"three")), ("4.jpg", jpeg()), ("4.txt", b""),
            ("5.jpg", jpeg()), ("5.json", b"[1, NaN]"), ("6.jpg", jpeg()), ("6.json", b"{broken"),
            ("7.jpg", jpeg()), ("7.json", b"[" * 100_000),
        ]),
    )  # fmt: skip
    assert [sample.text for sample in samples] == ["one", "two", "three", None, None, None, None]
    assert samples[4].metadata == {"json": [1, None]}
    assert "json_error" in samples[5].metadata
    assert "json_error" in samples[6].metadata
    assert samples[5].members["json"] == b"{broken"


def test_names_split_at_the_first_dot_and_pictures_of_any_ending_count(tmp_path, jpeg):
    samples = listed(
        tmp_path,
        tar([
            ("./x.y/p.left.webp", jpeg()), ("./x.y/p.right.webp", jpeg()), ("q.JPEG", jpeg()), ("README", b"?"),
            ("._q.jpg", b"finder"), (".hidden/r.gif", jpeg()), ("s.html", b"<p>"),
        ]),
    )  # fmt: skip
    by_key = {sample.key: sample for sample in samples}
    assert by_key["x.y/p"].path.endswith("p.left.webp")
    assert set(by_key["x.y/p"].members) == {"right.webp"}
    assert by_key["q"].location is not None
    assert by_key["README"].problem.kind == by_key["s"].problem.kind == "no-image"
    assert by_key["s"].problem.skip
    assert "._q" not in str(list(by_key))


def test_a_key_that_comes_again_is_numbered_not_merged(tmp_path, jpeg):
    samples = listed(
        tmp_path,
        tar(
            [
                ("1.jpg", jpeg((1, 1, 1))),
                ("2.jpg", jpeg()),
                ("1.jpg", jpeg((9, 9, 9))),
                ("1.jpg", jpeg()),
                ("1.txt", b"t"),
            ]
        ),
    )
    assert [sample.key for sample in samples] == ["1", "2", "1#2", "1#3"]
    assert samples[0].location.read() == jpeg((1, 1, 1))
    assert samples[2].location.read() == jpeg((9, 9, 9))
    assert samples[3].text == "t"


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_and_foreign_names_in_every_tar_format(tmp_path, form):
    names = ["ä/ö ü", "n" * 90, "d" * 80 + "/" + "e" * 90]
    if form != tarfile.USTAR_FORMAT:
        names += ["\N{GRINNING FACE}" * 60, "l/" * 100 + "x" * 120]
    samples = listed(tmp_path, tar([(f"{name}.jpg", name.encode()) for name in names], format=form))
    assert [sample.key for sample in samples] == names
    assert [sample.location.read() for sample in samples] == [name.encode() for name in names]


def test_a_name_that_is_not_unicode_gets_a_key_that_is(tmp_path):
    data = tar([("caf\udce9.jpg", b"x")], format=tarfile.GNU_FORMAT, errors="surrogateescape")
    (sample,) = listed(tmp_path, data)
    assert sample.key.encode() == "caf\ufffdE9".encode()


def test_shards_prefix_their_keys_and_a_missing_one_is_a_failure(tmp_path):
    for number in (0, 1, 3):
        (tmp_path / f"{number:05}.tar").write_bytes(tar(pairs(2)))
    keys = {}
    for form in (
        f"{tmp_path}/*.tar",
        str(tmp_path),
        f"{tmp_path}/{{00000..00003}}.tar",
        f"{tmp_path}/{{00000,00003}}.tar",
    ):
        source = open_source(form)
        assert isinstance(source, WebdatasetSource)
        samples = list(source.samples())
        keys[form] = [sample.key for sample in samples if sample.problem is None]
        missing = [(sample.key, sample.problem.kind) for sample in samples if sample.problem]
        assert missing == ([("00002", "missing")] if ".." in form else [])
    whole = [f"{shard}/{n}" for shard in ("00000", "00001", "00003") for n in ("0000", "0001")]
    assert list(keys.values()) == [whole, whole, whole, [key for key in whole if not key.startswith("00001")]]
    assert [sample.key for sample in open_source(tmp_path / "00000.tar").samples()] == ["0000", "0001"]


@pytest.mark.parametrize("name", ["x.tgz", "x.tar.gz", "x.tar"])
def test_packed_tars_are_read_whatever_they_are_called(tmp_path, name):
    samples = listed(tmp_path, gzip.compress(tar(pairs(3))), name)
    assert [sample.text for sample in samples] == ["caption 0", "caption 1", "caption 2"]
    assert samples[2].location.read() == b"\xff\xd8" + bytes([2]) * 700


@given(st.data())
@quick
def test_wherever_a_tar_is_cut_the_loss_is_told_and_the_rest_is_kept(tmp_path, data):
    whole = tar(pairs(4)).rstrip(b"\0")
    whole += bytes(-len(whole) % 512)  # the last member, without the end mark
    place = data.draw(st.integers(0, len(whole)))
    packed = data.draw(st.booleans())
    content = gzip.compress(whole[:place]) if packed else whole[:place]
    samples = listed(tmp_path, content)
    assert samples[-1].problem.kind == "damaged-shard"
    assert not samples[-1].problem.skip
    assert "00000.tar" in samples[-1].problem.message
    good = [sample for sample in samples if sample.problem is None]
    assert [sample.location.read()[2] for sample in good] == list(range(len(good)))
    sample_size = len(whole) // 4
    assert len(good) >= place // sample_size


@given(st.integers(0, 5000))
@quick
def test_wherever_a_packed_tar_is_cut_the_loss_is_told(tmp_path, place):
    content = gzip.compress(tar(pairs(4)), compresslevel=0)
    samples = listed(tmp_path, content[: min(place, len(content) - 9)], "x.tgz")
    assert samples[-1].problem.kind == "damaged-shard"


@given(st.integers(0, 7), st.integers(0, 147) | st.integers(156, 499), st.integers(1, 255))
@quick
def test_a_damaged_header_is_told_and_what_is_around_it_is_kept(tmp_path, member, place, flip):
    content = bytearray(tar(pairs(4)))
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        headers = [info.offset for info in archive]
    content[headers[member] + place] ^= flip
    samples = listed(tmp_path, bytes(content))
    assert samples[-1].problem.kind == "damaged-shard"
    assert f"byte {headers[member]:,}" in samples[-1].problem.message
    assert sum(sample.problem is None for sample in samples) == (3 if member % 2 == 0 else 4)


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>" * 100, b"\x1f\x8bgarbage", bytes(100)])
def test_what_is_no_tar_is_told(tmp_path, content):
    (sample,) = listed(tmp_path, content)
    assert sample.problem.kind == "damaged-shard"


def test_an_empty_tar_has_no_samples_and_one_put_behind_another_is_read(tmp_path):
    assert listed(tmp_path, tar([])) == []
    both = tar(pairs(1)) + tar([("z.jpg", b"z")])
    assert [sample.key for sample in listed(tmp_path, both)] == ["0000", "z"]


def test_links_devices_and_names_that_lead_elsewhere_are_never_followed(tmp_path, jpeg):
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    samples = listed(
        tmp_path,
        tar([
            link("sym.jpg", str(tmp_path / "secret.jpg")), link("hard.jpg", "ok.jpg", tarfile.LNKTYPE),
            link("dev.jpg", "", tarfile.CHRTYPE), link("fifo.jpg", "", tarfile.FIFOTYPE),
            ("../up.jpg", jpeg()), ("/abs.jpg", jpeg()), ("a/../../b.jpg", jpeg()), ("..\\w.jpg", jpeg()), ("C:x.jpg", jpeg()),
            ("ok.jpg", jpeg()), link("ok.txt", "/etc/passwd"),
        ]),
    )  # fmt: skip
    good = [sample for sample in samples if sample.problem is None]
    assert [sample.key for sample in good] == ["ok"]
    assert good[0].metadata["blocked_members"] == ["ok.txt is a link, a device or a sparse file"]
    assert {sample.problem.kind for sample in samples if sample.problem} == {"blocked-path"}
    assert len(samples) == 10
    assert all(sample.location is None for sample in samples if sample.problem)


def test_pickles_are_carried_and_never_loaded(tmp_path, jpeg):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "owned"),)

    data = pickle.dumps(Evil())
    (sample,) = listed(
        tmp_path, tar([("1.jpg", jpeg()), ("1.pyd", data), ("1.pickle", data), ("1.pth", data)])
    )
    assert sample.members["pyd"] == data
    assert not (tmp_path / "owned").exists()


def test_pipes_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="pipe:"):
        open_source(f"pipe:touch {tmp_path}/owned; cat x.tar")
    with pytest.raises(ConfigError, match="pipe:"):
        open_source(f"pipe:touch {tmp_path}/owned", SourceOptions(source_type="webdataset"))
    assert not (tmp_path / "owned").exists()


def test_what_is_too_large_beside_the_picture_is_left_over_and_the_picture_captioned(tmp_path, jpeg):
    (tmp_path / "0.tar").write_bytes(
        tar([("1.jpg", jpeg()), ("1.bin", bytes(70 * 1024 * 1024)), ("1.txt", b"t"), ("2.jpg", jpeg())])
    )
    source = open_source(tmp_path / "0.tar")
    samples = list(source.samples())
    assert [(sample.key, sample.text) for sample in samples] == [("1", "t"), ("2", None)]
    assert all(sample.location is not None for sample in samples)
    assert [each.kind for each in source.left_over] == ["large-member"]


def test_headers_that_claim_absurd_sizes_cost_nothing(tmp_path, jpeg):
    info = tarfile.TarInfo("huge.jpg")
    info.size = 1 << 50
    longname = tarfile.TarInfo("x")
    longname.type, longname.size = tarfile.GNUTYPE_LONGNAME, 1 << 40
    for header in (info, longname):
        tracemalloc.start()
        samples = listed(tmp_path, tar([("1.jpg", jpeg())])[:1536] + header.tobuf(tarfile.GNU_FORMAT))
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
        tracemalloc.stop()
        assert samples[-1].problem.kind == "damaged-shard"
        assert samples[0].key == "1"


def test_a_tar_changed_after_the_listing_is_a_failure(tmp_path, jpeg):
    samples = listed(tmp_path, tar([("1.jpg", jpeg())]))
    os.truncate(tmp_path / "00000.tar", 600)
    with pytest.raises(PictureError, match="the tar was replaced"):
        samples[0].location.read()
    (tmp_path / "00000.tar").unlink()
    with pytest.raises(PictureError) as caught:
        samples[0].location.read()
    assert caught.value.kind == "missing"


def test_what_the_webdataset_library_writes_is_read(tmp_path, jpeg):
    webdataset = pytest.importorskip("webdataset")
    with webdataset.TarWriter(str(tmp_path / "w.tar")) as writer:
        for n in range(5):
            writer.write({"__key__": f"k/{n}", "jpg": jpeg(), "json": {"n": n}, "txt": f"t{n}"})
    samples = list(open_source(tmp_path / "w.tar").samples())
    assert [(sample.key, sample.text, sample.metadata["n"]) for sample in samples] == [
        (f"k/{n}", f"t{n}", n) for n in range(5)
    ]


def test_tars_on_other_storage_are_read(jpeg):
    import fsspec

    for number in range(2):
        with fsspec.open(f"memory://shards/{number}.tar", "wb") as file:
            file.write(tar([("1.jpg", jpeg()), ("1.txt", b"t")]))
    for form in ("memory://shards/{0..1}.tar", "memory://shards/*.tar"):
        samples = list(open_source(form).samples())
        assert [sample.key for sample in samples] == ["0/1", "1/1"]
        assert samples[1].location.read() == jpeg()


def test_memory_does_not_grow_with_the_shard(tmp_path):
    (tmp_path / "x.tgz").write_bytes(
        gzip.compress(tar([(f"{n}.jpg", bytes(500_000)) for n in range(100)]), 1)
    )
    source = open_source(tmp_path / "x.tgz")
    tracemalloc.start()
    assert sum(1 for _ in source.samples()) == 100
    assert tracemalloc.get_traced_memory()[1] < 6_000_000
    tracemalloc.stop()


def test_shards_of_other_tools_hold_what_their_manifest_says(shared_data):
    folder = shared_data / "webdataset-tars"
    for entry in json.loads((folder / "manifest.json").read_text())["tars"]:
        samples = list(open_source(folder / entry["file"]).samples())
        pictures = [sample for sample in samples if sample.location is not None]
        assert len(samples) == entry["samples"], entry["file"]
        assert len(pictures) == entry["samples_with_image"]
        assert sum("txt" in sample.members for sample in samples) == entry["samples_with_txt"]
        assert [sample.key for sample in samples[:3]] == entry["first_keys"]
        assert all(sample.location.read() for sample in pictures)
        assert {sample.problem.kind for sample in samples if sample.problem} <= {"no-image"}


def test_a_damaged_header_costs_its_own_sample_and_the_rest_of_the_tar_is_read(tmp_path, jpeg):
    path = tmp_path / "0.tar"
    offsets = {}
    with tarfile.open(path, "w") as archive:
        for number in range(6):
            for ending, data in (("jpg", jpeg()), ("txt", b"text")):
                info = tarfile.TarInfo(f"{number}.{ending}")
                info.size = len(data)
                offsets[info.name] = archive.fileobj.tell()
                archive.addfile(info, io.BytesIO(data))
    data = bytearray(path.read_bytes())
    data[offsets["2.jpg"] : offsets["2.jpg"] + 100] = b"\xff" * 100
    data[offsets["4.jpg"] + 124 : offsets["4.jpg"] + 148] = bytes(24)
    path.write_bytes(data)
    samples = list(open_source(path).samples())
    whole = [sample.key for sample in samples if sample.problem is None]
    assert whole == ["0", "1", "3", "5"]
    lost = {sample.key: sample.problem.kind for sample in samples if sample.problem}
    assert lost == {
        "2": "damaged-shard",
        f"0.tar@{offsets['2.jpg']}": "damaged-shard",
        "4": "damaged-shard",
        f"0.tar@{offsets['4.jpg']}": "damaged-shard",
    }
    assert f"up to byte {offsets['2.txt']:,} is lost" in samples[-2].problem.message
    assert all(sample.location.read() == jpeg() for sample in samples if sample.location)


def test_a_size_that_leads_out_of_the_tar_costs_one_sample(tmp_path, jpeg):
    path = tmp_path / "0.tar"
    with tarfile.open(path, "w") as archive:
        for number in range(3):
            info = tarfile.TarInfo(f"{number}.jpg")
            info.size = len(jpeg())
            archive.addfile(info, io.BytesIO(jpeg()))
    data = bytearray(path.read_bytes())
    header = tarfile.TarInfo("0.jpg")
    header.size = 10**9
    data[:512] = header.tobuf()[:512]
    path.write_bytes(data)
    samples = list(open_source(path).samples())
    assert [sample.key for sample in samples if sample.problem is None] == ["1", "2"]
    assert [sample.problem.kind for sample in samples if sample.problem] == ["damaged-shard"]
