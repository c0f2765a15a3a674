"""The embedded network's file: what is refused, and what of it is in the repository."""

import pytest
import torch
from safetensors.torch import load, save_file

from common.errors import ModelMissingError
from workers.inknhue.weights import EMBEDDED, build_embedded, load_embedded, save_weights

MAX_BYTES = 10_000_000


def test_weights_come_back_as_they_were_saved(tmp_path):
    network = build_embedded()
    save_weights(network, tmp_path / "w.safetensors")
    loaded = load_embedded(tmp_path / "w.safetensors")
    assert not loaded.training
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], tensor, atol=1e-3, rtol=1e-3)


def test_a_missing_damaged_or_foreign_file_is_named(tmp_path):
    path = tmp_path / "w.safetensors"
    with pytest.raises(ModelMissingError, match="not found"):
        load_embedded(path)
    path.write_text("no tensors")
    with pytest.raises(ModelMissingError, match="not a safetensors file"):
        load_embedded(path)
    tensors = load(EMBEDDED.read_bytes())
    tensors["encoder.conv_in.weight"] = torch.zeros(4, 3, 3, 3)
    save_file(tensors, path)
    with pytest.raises(ModelMissingError, match=r"encoder.conv_in.weight is \(4, 3, 3, 3\), not \(16, 3, 3, 3\)"):
        load_embedded(path)


def test_the_repositorys_weights_load_are_small_and_have_a_card():
    load_embedded()
    assert EMBEDDED.stat().st_size <= MAX_BYTES
    card = (EMBEDDED.parent / "README.md").read_text()
    assert "make train-inknhue" in card
    assert "David Revoy" in card
    assert "Creative Commons Attribution 4.0" in card
