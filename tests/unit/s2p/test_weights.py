"""The embedded network's file: what is refused, and what of it is in the repository."""

import pytest
from safetensors.numpy import load, save_file

from common.errors import ModelMissingError
from workers.s2p.network import NetworkConfig, build_network
from workers.s2p.weights import EMBEDDED, load_weights, save_weights


@pytest.fixture(scope="module")
def small():
    return build_network(NetworkConfig(channels=(8, 8, 8, 8), heads=2))


def test_weights_come_back_as_they_were_saved(small, tmp_path):
    save_weights(small, tmp_path / "w.safetensors")
    other = build_network(NetworkConfig(channels=(8, 8, 8, 8), heads=2))
    load_weights(other, tmp_path / "w.safetensors")
    for one, same in zip(small.variables, other.variables, strict=True):
        assert abs(one.numpy() - same.numpy()).max() < 1e-3


def test_a_missing_damaged_or_foreign_file_is_named(small, tmp_path):
    path = tmp_path / "w.safetensors"
    with pytest.raises(ModelMissingError, match="not found"):
        load_weights(small, path)
    path.write_text("no tensors")
    with pytest.raises(ModelMissingError, match="not a safetensors file"):
        load_weights(small, path)
    save_weights(small, path)
    tensors = load(path.read_bytes())
    for change, message in (
        (lambda tensors: tensors.pop("stem/kernel"), "no tensor stem/kernel"),
        (lambda tensors: tensors.update(extra=tensors["stem/bias"]), "unknown tensor extra"),
        (lambda tensors: tensors.update({"stem/bias": tensors["stem/bias"][:3]}), r"stem/bias is \(3,\), not \(8,\)"),
    ):
        changed = dict(tensors)
        change(changed)
        save_file(changed, path)
        with pytest.raises(ModelMissingError, match=message):
            load_weights(small, path)


def test_the_embedded_weights_are_small_and_described():
    assert EMBEDDED.stat().st_size <= 10_000_000
    card = (EMBEDDED.parent / "README.md").read_text()
    for named in ("David Revoy", "Creative Commons Attribution 4.0", "make train-s2p", "Levin"):
        assert named in card
