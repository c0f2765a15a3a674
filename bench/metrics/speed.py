"""How fast pages and sets are scored, and how much memory it takes."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000
from skimage.metrics import structural_similarity

from bench.figures import Figure
from bench.pages import least_s, read
from common.imaging import encode_image
from common.lab import rgb_to_lab
from workers.metrics.frechet import FeatureStatistics, frechet_distance
from workers.metrics.score import score_page

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "samples" / "chapter" / "colour"
SIZE_PX = (832, 1216)
"""1 megapixel, portrait."""
SOME, MANY = 200, 1000
DIMENSIONS = 2048


def make_pair(number: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A true page of 1 MP, drawn, and one like it with other colours."""
    truth = np.asarray(cv2.resize(read(SAMPLE / f"{number:03}.png"), SIZE_PX, interpolation=cv2.INTER_AREA))
    lab = cv2.cvtColor(truth, cv2.COLOR_RGB2LAB).astype(np.int16)
    lab[..., 1:] = 128 + (lab[..., 1:] - 128) * (6, 10) // (10, 9)
    return truth.astype(np.uint8), np.asarray(cv2.cvtColor(lab.astype(np.uint8), cv2.COLOR_LAB2RGB), dtype=np.uint8)


def measure_page() -> list[Figure]:
    """All figures of one pair on one thread, beside two of them as scikit-image computes them."""
    truth, output = make_pair(2)
    torch.set_num_threads(1)
    ours = least_s(lambda: score_page(output, truth, None))
    delta_e = least_s(lambda: deltaE_ciede2000(rgb_to_lab(output), rgb_to_lab(truth)))
    ssim = least_s(lambda: structural_similarity(output, truth, channel_axis=2, data_range=255))
    torch.set_num_threads(torch.get_num_interop_threads())
    return [
        Figure("all figures of a pair of 1 MP, on one thread", ours, "s"),
        Figure("scikit-image's ΔE2000 alone, of the same pair", delta_e, "s"),
        Figure("scikit-image's SSIM alone, of the same pair", ssim, "s"),
    ]


def measure_sets(out: Path, some: int = SOME, many: int = MANY) -> list[Figure]:
    """Many pairs from files, in processes of their own: time, and whether memory grows with their number."""
    folder = out / "pairs"
    for number in range(1, 7):
        for side, picture in zip(("real", "output"), make_pair(number), strict=True):
            (folder / side).mkdir(parents=True, exist_ok=True)
            (folder / side / f"{number}.png").write_bytes(encode_image(picture))
    seconds, peak_gib = {}, {}
    for count in (some, many):
        command = [sys.executable, "-m", "bench.metrics.many_pairs", folder, str(count)]
        made = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True)
        seconds[count], peak_gib[count] = map(float, made.stdout.split())
    scaled = "" if many == MANY else f", scaled from {many}"
    return [
        Figure(f"{MANY} pairs of 1 MP, from PNG files{scaled}", seconds[many] * MANY / many, "s", 240.0),
        Figure(f"peak memory, {many} pairs", peak_gib[many], "GiB"),
        Figure(f"peak memory, {many} pairs beside {some}", peak_gib[many] / peak_gib[some], "×", 1.1),
    ]


def measure_distance() -> list[Figure]:
    """The Fréchet distance of two sets of features, both covariances of full rank."""
    draw = np.random.default_rng(0)
    sides = []
    for shift in (0.0, 0.1):
        statistics = FeatureStatistics()
        statistics.add(draw.normal(shift, 1, (2 * DIMENSIONS, DIMENSIONS)))
        sides.append(statistics)
    return [Figure(f"Fréchet distance of {DIMENSIONS} dimensions", least_s(lambda: frechet_distance(*sides)), "s")]
