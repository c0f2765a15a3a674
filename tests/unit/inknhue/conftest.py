"""The rule by which networks without weights are filled, so that two implementations can be compared."""

import zlib

import numpy as np
import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    # Many threads on tiny pictures spend their time waiting for each other.
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def fill_from_keys():
    """Fill every tensor of a module's state dict from its own key, as tests/golden/inknhue was made."""

    def fill(module):
        for key, tensor in module.state_dict().items():
            if not key.endswith("num_batches_tracked"):
                tensor.copy_(torch.from_numpy(draw_tensor(key, tuple(tensor.shape))))

    return fill


def draw_tensor(key, shape):
    x = np.random.RandomState(zlib.crc32(key.encode()) & 0x7FFFFFFF).standard_normal(shape).astype(np.float32)
    if len(shape) >= 2:
        x /= np.sqrt(np.prod(shape[1:]))
    elif key.endswith("running_var"):
        x = np.abs(x) * 0.5 + 0.5
    elif key.endswith("weight"):
        x = 1 + 0.1 * x
    else:
        x = 0.1 * x
    return x.astype(np.float32)
