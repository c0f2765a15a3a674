"""Colours one page in a process of its own: PAGE ROUGH embedded|official. Prints peak memory in kB, and seconds.

The official networks, shader included, are of the official size, with random weights.
"""

import sys
import time
from functools import partial
from pathlib import Path

import torch

from bench.pages import read
from workers.devices import pick_device
from workers.inknhue.aligner import OFFICIAL_WINDOW_PX, Aligner, open_embedded
from workers.inknhue.colour import RGB
from workers.inknhue.network import Autoencoder, AutoencoderConfig
from workers.inknhue.official.shader_network import ShadingGenerator
from workers.inknhue.official.shading import shade_page
from workers.inknhue.paint import align_page, blend_page
from workers.inknhue.working_size import OFFICIAL_SHORT_PX


def open_random_official() -> Aligner:
    torch.manual_seed(0)
    device = pick_device()
    network, shader = (module.eval().to(device) for module in (Autoencoder(AutoencoderConfig()), ShadingGenerator()))
    shade = partial(shade_page, shader)
    return Aligner(
        network,
        "random",
        colours=RGB,
        correction=1.0,
        short_px=OFFICIAL_SHORT_PX,
        window_px=OFFICIAL_WINDOW_PX,
        shade=shade,
    )


if __name__ == "__main__":
    page, rough = (read(Path(argument)) for argument in sys.argv[1:3])
    aligner = open_embedded() if sys.argv[3] == "embedded" else open_random_official()
    started = time.monotonic()
    blend_page(page, align_page(page, rough, aligner).rgb, rough)
    seconds = time.monotonic() - started
    status = Path("/proc/self/status").read_text().splitlines()
    print(next(line for line in status if line.startswith("VmHWM")).split()[1], seconds)
