"""Colours one page of a given size, in a process of its own, and prints its peak memory in KiB."""

import sys
from pathlib import Path

import cv2
import numpy as np

from common.imaging import decode_image
from common.params import JobParams
from workers.cgan.presets import paint
from workers.cgan.weights import load_model

if __name__ == "__main__":
    page, weights, width, height = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    picture = decode_image(page.read_bytes(), str(page))
    # A strip is panels under each other, a large page is the page enlarged.
    if height > 4 * width:
        scaled = cv2.resize(picture, (width, round(picture.shape[0] * width / picture.shape[1])))
        picture = np.concatenate([scaled] * -(-height // len(scaled)))[:height]
    else:
        picture = np.asarray(cv2.resize(picture, (width, height)), dtype=np.uint8)
    paint(np.ascontiguousarray(picture, dtype=np.uint8), load_model(weights.read_bytes()), JobParams())
    # Not getrusage: its figure counts what the process that started this one held.
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(int(peak.split()[1]))
