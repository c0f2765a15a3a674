"""The autoencoder against what the original computes (tests/golden/inknhue): keys, shapes and numbers."""

import json
from pathlib import Path

import numpy as np
import torch

from workers.inknhue.network import AttentionBlock, Autoencoder, AutoencoderConfig

GOLDEN = Path(__file__).parents[2] / "golden" / "inknhue"


def test_keys_and_shapes_are_the_official_ones():
    with torch.device("meta"):
        network = Autoencoder(AutoencoderConfig())
    shapes = {key: list(tensor.shape) for key, tensor in network.state_dict().items()}
    assert shapes == json.loads((GOLDEN / "inknhue_autoencoder.keys.json").read_text())


def test_numbers_are_the_originals(fill_from_keys):
    network = Autoencoder(AutoencoderConfig(channels=32)).eval()
    fill_from_keys(network)
    golden = np.load(GOLDEN / "inknhue_autoencoder.npz")
    rough, shaded = (torch.from_numpy(golden[name]) for name in ("rough", "shaded"))
    with torch.inference_mode():
        mean, log_variance = network.encode(rough)
        conditions = network.encode_cond(shaded)
        decoded = network.decode(mean, conditions)
        np.testing.assert_allclose(network(rough, shaded), decoded)
    np.testing.assert_allclose(mean, golden["mean"], atol=1e-4)
    np.testing.assert_allclose(log_variance, golden["logvar"], atol=1e-4)
    np.testing.assert_allclose(decoded, golden["decoded"], atol=1e-4)
    for index, condition in enumerate(conditions):
        np.testing.assert_allclose(condition, golden[f"cond{index}"].astype(np.float32), atol=5e-3)


def test_attention_in_blocks_sees_its_block_and_no_other():
    torch.manual_seed(0)
    everywhere, in_blocks = AttentionBlock(8, 2, None), AttentionBlock(8, 2, 4)
    in_blocks.load_state_dict(everywhere.state_dict())
    x = torch.randn(1, 8, 4, 4)
    torch.testing.assert_close(in_blocks(x), everywhere(x))
    # As many places in each block; the norm, which sees all, is left out.
    in_blocks.norm = everywhere.norm = torch.nn.Identity()
    wide = torch.randn(2, 8, 7, 4)
    torch.testing.assert_close(in_blocks(wide)[:, :, :3], everywhere(wide[:, :, :3]))
    torch.testing.assert_close(in_blocks(wide)[:, :, 3:], everywhere(wide[:, :, 3:]))
