"""A fixed load, for figures of different machines, and of noisy moments of one, to be told in.

Run in cgan's environment. Prints JSON. Who changes anything here makes new figures that compare with none before.
"""

import io
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

TRIES = 5


@dataclass(frozen=True)
class Calibration:
    """Median times of each part, in seconds, and the most memory that the process had, in GiB."""

    matmul_s: float
    png_s: float
    conv_s: float
    peak_gib: float

    @property
    def seconds(self) -> float:
        return self.matmul_s + self.png_s + self.conv_s


def calibrate() -> Calibration:
    """A product of matrices, a page written as PNG, a convolution: what the house spends its time with."""
    import numpy as np
    import torch
    from PIL import Image
    from torch.nn import functional

    draw = np.random.default_rng(0)
    matrix = draw.random((1024, 1024), dtype=np.float32)
    coarse = draw.integers(0, 255, (180, 128, 3), dtype=np.uint8)
    page = Image.fromarray(coarse).resize((1024, 1440), Image.Resampling.BICUBIC)
    signal, kernel = torch.rand(4, 32, 256, 256), torch.rand(32, 32, 3, 3)

    def multiply() -> None:
        for _ in range(10):
            matrix @ matrix

    def convolve() -> None:
        for _ in range(4):
            functional.conv2d(signal, kernel, padding=1)

    parts = (multiply, lambda: page.save(io.BytesIO(), "PNG"), convolve)
    seconds = [_median_s(part) for part in parts]
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return Calibration(*seconds, int(peak.split()[1]) / 1024**2)


def _median_s(work: Callable[[], object]) -> float:
    work()
    seconds = []
    for _ in range(TRIES):
        started = time.monotonic()
        work()
        seconds.append(time.monotonic() - started)
    return statistics.median(seconds)


if __name__ == "__main__":
    print(json.dumps(asdict(calibrate())))
