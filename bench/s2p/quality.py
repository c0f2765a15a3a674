"""How near the embedded painter comes to the truth: beside Levin's colorization, beside grey, beside cgan's draft."""

import subprocess
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.figures import Figure
from bench.pages import chroma_error, find_pages, psnr_db, read, turn_grey
from bench.s2p.levin import colorize
from common.hints import Hints, parse_hints
from common.imaging import encode_image
from common.lab import lab_to_rgb, lab_to_rgb_keep_lightness, page_lightness, rgb_to_lab
from common.screentone import smooth_screentone
from common.upsampling import upsample_rows
from samples.hinting import simulate_people_hints
from samples.scanning import lift_lightness
from workers.s2p.embedded import EmbeddedPainter
from workers.s2p.features import spread_hints

ROOT = Path(__file__).parents[2]
EVAL = ("e03p05", "e03p06")
REFERENCE = "e03p03"
WIDTH_PX = 768
COUNTS = (10, 30, 60, 150)
SEEDS = (0, 1, 2, 3)
ABOVE_LEVIN_DB = {10: 0.8, 60: 1.5, 150: 1.1}


def measure_hints(folder: Path, painter: EmbeddedPainter) -> list[Figure]:
    """True-colour hints at random points of the eval pages, 768 px wide, lightness kept: PSNR of each way."""
    pages = find_pages(folder)
    scores: dict[int, list[tuple[float, float, float, float]]] = {count: [] for count in COUNTS}
    for name in EVAL:
        truth = _shrink(read(pages[name]), WIDTH_PX)
        lab = rgb_to_lab(truth)
        grey = lift_lightness(truth)
        for count in COUNTS:
            for seed in SEEDS:
                dots = simulate_people_hints(truth, count, np.random.default_rng((seed, count)))
                hints = Hints(size=(truth.shape[1], truth.shape[0]), hints=tuple(dots))
                chromas = spread_each_way(painter, lab, grey, hints)
                scores[count].append(
                    tuple(psnr_db(lab_to_rgb(np.dstack([lab[..., :1], chroma])), truth) for chroma in chromas)
                )
    figures = []
    for count in COUNTS:
        grey_db, levin_db, prior_db, ours_db = np.mean(scores[count], axis=0)
        figures += [
            Figure(f"{count} hints: grey", grey_db, "dB"),
            Figure(f"{count} hints: Levin", levin_db, "dB"),
            Figure(f"{count} hints: our propagation alone", prior_db, "dB"),
            Figure(f"{count} hints: the embedded painter", ours_db, "dB", float(grey_db), True),
            Figure(f"{count} hints: above Levin", ours_db - levin_db, "dB", ABOVE_LEVIN_DB.get(count), True),
        ]
    return figures


def spread_each_way(
    painter: EmbeddedPainter, lab: NDArray[np.float32], grey: NDArray[np.uint8], hints: Hints
) -> tuple[NDArray[np.float32], ...]:
    """Chroma (H, W, 2) of: nothing, Levin at working size, our propagation, the painter; from the same dots."""
    smooth = smooth_screentone(grey)
    page = spread_hints(smooth, hints)
    small = cv2.resize(lab[..., 0], page.guide.shape[::-1], interpolation=cv2.INTER_AREA).astype(np.float64) / 100
    levin = colorize(small, page.hint_chroma.astype(np.float64), page.hint_weight > 0).astype(np.float32)
    enlarged = (
        np.asarray(cv2.resize(chroma, grey.shape[::-1], interpolation=cv2.INTER_LINEAR))
        for chroma in (np.zeros_like(levin), levin, page.prior)
    )
    return (*enlarged, upsample_rows(painter.colour(page), page.guide, smooth, slice(0, grey.shape[0])))


def measure_draft(folder: Path, painter: EmbeddedPainter, out: Path) -> list[Figure]:
    """The hints that the cgan room makes for the eval pages: chroma error of the rough picture beside the draft's."""
    pages = find_pages(folder)
    grey_pages = []
    for name in EVAL:
        grey_pages.append(out / f"{name}.png")
        grey_pages[-1].write_bytes(encode_image(turn_grey(read(pages[name]))))
    command = [ROOT / ".venvs" / "cgan" / "bin" / "python", "-m", "workers.cgan", *grey_pages]
    subprocess.run(
        [*command, "--reference", pages[REFERENCE], "--out", out], cwd=ROOT, check=True, stdout=subprocess.DEVNULL
    )
    figures, errors = [], []
    for name, grey_page in zip(EVAL, grey_pages, strict=True):
        truth, made = read(pages[name]), out / name
        lightness = page_lightness(read(grey_page))
        hints = parse_hints(made.joinpath("hints.json").read_bytes(), name)
        rough = painter.paint(read(grey_page), hints).rough_rgb
        made.joinpath("rough.png").write_bytes(encode_image(rough))
        # On the page's lightness, as the draft is and as the final picture will be.
        kept = lab_to_rgb_keep_lightness(np.dstack([lightness, rgb_to_lab(rough)[..., 1:]]))
        errors.append((chroma_error(kept, truth), chroma_error(read(made / "draft.png"), truth)))
        what = f"{name}: chroma error with cgan's {len(hints.hints)} hints"
        figures.append(Figure(what, errors[-1][0] / errors[-1][1], "draft", 1.0))
    ours, drafts = np.sum(errors, axis=0)
    return [*figures, Figure("both pages: chroma error with cgan's hints", float(ours / drafts), "draft", 1.0)]


def _shrink(rgb: NDArray[np.uint8], width_px: int) -> NDArray[np.uint8]:
    height_px = round(rgb.shape[0] * width_px / rgb.shape[1])
    return np.asarray(cv2.resize(rgb, (width_px, height_px), interpolation=cv2.INTER_AREA), dtype=np.uint8)
