"""The golden page of the cgan stage. Pure; `python -m workers.cgan.golden` does it, with --write its result anew.

This stage has no weights of its own: they are learned from a job's references. So a network of known weights reads a
page, and another one is taught for a few steps, of which the result is known within what precision and the order of
sums make of it.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from common.lab import page_lightness
from workers.cgan.network import Generator
from workers.cgan.reading import read_page
from workers.cgan.training import TrainingSettings, seeded, train_generator
from workers.golden import Check, Tolerance, compare, draw_colours, draw_page, read_options, run_command

EXPECTED: Final = Path(__file__).with_name("golden.npz")
READING: Final = Tolerance(mean=0.25, p99=1.0)
"""Of CIELAB's a and b. It was written in float32; in bf16 it is off by 0.10 on average and 0.33 at the 99th percentile.
Noise of 2 % on the weights moved it by 0.6 and 2."""
TRAINING: Final = Tolerance(mean=0.5, p99=2.0)
"""Wider: each step carries the last one's rounding on. It is for gradients and optimisers that compute nonsense."""
SEED: Final = 7
EPOCHS: Final = 1
"""Two steps."""
_EVERY: Final = 3
"""Of the pixels in a row and of the rows, so many-th are kept: enough to see by, and few bytes."""


def seed_network() -> Generator:
    """A network of known weights that gives some colour: the last layer, zero in a new one, is filled too."""
    with seeded(SEED):
        network = Generator()
        for module in network.modules():
            if isinstance(module, nn.Conv2d) and not module.weight.any():
                nn.init.normal_(module.weight, std=0.02)
    return network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def read_golden(network: Generator) -> NDArray[np.float32]:
    """The chroma that a network reads from the page, thinned out."""
    return read_page(page_lightness(draw_page()), network).chroma[::_EVERY, ::_EVERY]


def teach_network() -> Generator:
    """Teach a network on the page's colours for a few steps."""
    return train_generator([draw_colours()], TrainingSettings(EPOCHS, SEED), lambda _: None)


def check_networks() -> list[Check]:
    """What a known network reads, and what a network learns, against what is known."""
    with np.load(EXPECTED) as expected:
        return [
            compare("chroma that a known network reads", read_golden(seed_network()), expected["reading"], READING),
            compare("chroma after two steps of training", read_golden(teach_network()), expected["training"], TRAINING),
        ]


def main(arguments: Sequence[str]) -> int:
    options = read_options("cgan", arguments)
    if options.write:
        found = {"reading": read_golden(seed_network()), "training": read_golden(teach_network())}
        half = {name: chroma.astype(np.float16) for name, chroma in found.items()}
        np.savez_compressed(EXPECTED, reading=half["reading"], training=half["training"])
    checks = check_networks()
    for check in checks:
        print(f"{check.what}: {check.said}")
    return 0 if all(check.passed for check in checks) else 1


if __name__ == "__main__":
    sys.exit(run_command(main, "cgan"))
