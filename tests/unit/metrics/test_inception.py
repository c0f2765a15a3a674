"""Inception's features: torch-fidelity's own, in bounded batches, of weights that are read as tensors and checked."""

import hashlib
import io
import math
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from common.errors import ModelMissingError
from workers.metrics import inception as room
from workers.metrics.inception import WEIGHTS, Inception, InceptionFeatures, open_inception

FIRST = "Conv2d_1a_3x3.conv.weight"


def install(models, tensors, **options):
    """Write a checkpoint to where it belongs; gives the start of its SHA-256."""
    buffer = io.BytesIO()
    torch.save(tensors, buffer, **options)
    return install_bytes(models, buffer.getvalue())


def install_bytes(models, data):
    path = models / WEIGHTS
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()[:8]


@pytest.fixture(scope="session")
def tensors():
    """Random values that keep the size of what goes through: He's for convolutions, 1 and 0 for normalisation."""
    generator = torch.Generator().manual_seed(0)

    def fill(name, shape):
        if name.endswith("conv.weight"):
            return torch.randn(shape, generator=generator) * math.sqrt(2 / math.prod(shape[1:]))
        return torch.ones(shape) if name.endswith(("bn.weight", "running_var")) else torch.zeros(shape)

    wanted = room.build_network().state_dict()
    return {name: fill(name, t.shape) for name, t in wanted.items() if not name.endswith("num_batches_tracked")}


@pytest.fixture(scope="session")
def whole(tensors, tmp_path_factory):
    models = tmp_path_factory.mktemp("models")
    return models, install(models, tensors)


@pytest.fixture(scope="session")
def inception(whole) -> Inception:
    opened = open_inception(*whole)
    assert opened is not None
    return opened


def draw(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def small(name=FIRST):
    """A checkpoint whose first tensor alone is there: enough for what is found wrong before or in it."""
    return {name: torch.zeros(32, 3, 3, 3)}


def refuse(models, start, match):
    with pytest.raises(ModelMissingError, match=match) as raised:
        open_inception(models, start)
    assert str(models / WEIGHTS) in str(raised.value)


def test_features_are_those_of_the_librarys_own_forward(inception, whole):
    own = room._import_extractor()("own", ["2048"], feature_extractor_weights_path=str(whole[0] / WEIGHTS))
    pictures = np.stack([draw(70, 50, seed) for seed in range(3)])
    with torch.no_grad():
        (expected,) = own(torch.from_numpy(pictures).permute(0, 3, 1, 2))
    features = inception.extract(pictures)
    assert features.shape == (3, 2048)
    assert features.dtype == np.float32
    assert features.std() > 0.01
    np.testing.assert_array_equal(features, expected.numpy())


def test_features_are_the_same_alone_and_among_others(inception):
    pictures = np.stack([draw(310, 200, seed) for seed in range(4)])
    together = inception.extract(pictures)
    np.testing.assert_allclose(together[2:3], inception.extract(pictures[2:3]), rtol=1e-4, atol=1e-5)


def test_pictures_of_several_sizes_all_come_back(inception):
    stream = InceptionFeatures(inception)
    pictures = [draw(20 + seed % 2, 30, seed) for seed in range(5)]
    assert all(len(stream.add(picture)) == 0 for picture in pictures)
    features = stream.flush()
    assert len(stream.flush()) == 0
    alone = np.concatenate([inception.extract(pictures[n][None]) for n in (0, 2, 4, 1, 3)])
    np.testing.assert_allclose(features, alone, rtol=1e-4, atol=1e-5)


class Recording:
    """Stands in for the network: keeps the shapes that came."""

    max_held, max_held_pixels = 8, 8_000_000

    def __init__(self):
        self.shapes = []

    def extract(self, pictures):
        self.shapes.append(pictures.shape)
        return np.zeros((len(pictures), 2048), np.float32)


@pytest.mark.parametrize(("size", "largest"), [((10, 10), 8), ((1000, 2000), 4), ((3000, 3000), 1)])
def test_batches_are_bounded_in_pictures_and_in_pixels(size, largest):
    network = Recording()
    stream = InceptionFeatures(network)
    picture = np.zeros((*size, 3), np.uint8)
    features = [*(stream.add(picture) for _ in range(20)), stream.flush()]
    assert sum(map(len, features)) == 20
    assert max(shape[0] for shape in network.shapes) == largest


def test_pictures_of_ever_new_sizes_are_not_held_without_end():
    network = Recording()
    stream = InceptionFeatures(network)
    assert sum(len(stream.add(np.zeros((height, 8, 3), np.uint8))) for height in range(1, 45)) == 40


def test_without_the_file_there_is_no_network(tmp_path):
    assert open_inception(tmp_path) is None


def test_a_checkpoint_in_pytorchs_old_format_and_with_its_counters_opens(tensors, tmp_path):
    counters = {name: torch.tensor(7) for name in room.build_network().state_dict() if name.endswith("_tracked")}
    start = install(tmp_path, {**tensors, **counters}, _use_new_zipfile_serialization=False)
    assert open_inception(tmp_path, start) is not None


def test_any_file_but_the_standards_is_refused(tmp_path):
    start = install(tmp_path, small())
    assert start != room.SHA256_START
    refuse(tmp_path, room.SHA256_START, f"its SHA-256 is {start}[0-9a-f]{{56}}, and must start with 6726825d")


def test_a_missing_key_is_named(tmp_path):
    refuse(tmp_path, install(tmp_path, small()), r"key Conv2d_1a_3x3\.bn\.weight is missing")


def test_an_unknown_key_is_named(tensors, tmp_path):
    refuse(tmp_path, install(tmp_path, {**tensors, "AuxLogits.weight": torch.zeros(1)}), "unknown key AuxLogits")


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (torch.zeros(32, 3, 5, 5), r"\(32, 3, 5, 5\), not \(32, 3, 3, 3\): another network's"),
        (torch.zeros(32, 3, 3, 3, dtype=torch.float16), "torch.float16"),
        (torch.zeros(32, 3, 3, 3, dtype=torch.int32), "torch.int32"),
        (torch.zeros(32, 3, 3, 3).to_sparse(), "sparse"),
        ("text", "no tensor"),
    ],
)
def test_a_wrong_tensor_is_named(tmp_path, value, what):
    refuse(tmp_path, install(tmp_path, {FIRST: value}), f"{FIRST} .*{what}")


class Code:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_is_refused_and_never_runs(tmp_path, zipped):
    tensors = {FIRST: Code(tmp_path / "ran")}
    start = install(tmp_path, tensors, _use_new_zipfile_serialization=zipped)
    refuse(tmp_path, start, "holds code or objects")
    assert not (tmp_path / "ran").exists()


def test_a_file_that_is_cut_off_or_no_checkpoint_is_refused(tmp_path):
    install(tmp_path, small())
    data = (tmp_path / WEIGHTS).read_bytes()
    for wrong in (data[: len(data) // 2], b"", b"\0" * 100, b"<html>not found</html>"):
        refuse(tmp_path, install_bytes(tmp_path, wrong), "damaged, cut off, or no PyTorch checkpoint")


def test_a_checkpoint_of_something_else_is_refused(tmp_path):
    refuse(tmp_path, install(tmp_path, [torch.zeros(1)]), "holds a list, not a dict")


def test_a_file_that_is_too_large_is_refused_unread(tmp_path):
    install_bytes(tmp_path, b"")
    with (tmp_path / WEIGHTS).open("wb") as file:
        file.truncate(room.MAX_BYTES + 1)
    refuse(tmp_path, "", "over the limit")


def test_the_room_imports_without_pytorch():
    program = "import sys; import workers.metrics.inception; print([m for m in sys.modules if m.startswith('torch')])"
    ran = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60)
    assert ran.stdout == "[]\n"
