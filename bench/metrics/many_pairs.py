"""Scores many pairs in a process of its own: FOLDER COUNT, the folder's pairs over and over.

Prints seconds and peak memory in GiB.
"""

import sys
import time
from pathlib import Path

from common.imaging import ImageLimits
from workers.metrics.evaluation import evaluate_sets
from workers.metrics.pictures import PictureFile, PictureSets


def repeat(folder: Path, count: int) -> list[PictureFile]:
    files = sorted(folder.iterdir())
    return [PictureFile(f"{number:05}", files[number % len(files)].read_bytes) for number in range(count)]


if __name__ == "__main__":
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    sets = PictureSets(real=repeat(folder / "real", count), output=repeat(folder / "output", count))
    started = time.monotonic()
    evaluate_sets(sets, limits=ImageLimits(), models=folder / "no-models").to_dict()
    seconds = time.monotonic() - started
    status = Path("/proc/self/status").read_text().splitlines()
    peak_kib = int(next(line for line in status if line.startswith("VmHWM")).split()[1])
    print(seconds, peak_kib / 1024**2)
