"""Prints the SSIM of two pictures' greys: PICTURE PAGE. Run by the metrics room's environment, which has it."""

import sys
from pathlib import Path

from bench.pages import read, turn_grey
from workers.metrics.structure import ssim

if __name__ == "__main__":
    print(ssim(*(turn_grey(read(Path(argument))) for argument in sys.argv[1:])))
