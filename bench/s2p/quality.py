"""How near the embedded painter comes to the truth: beside Levin's colorization, beside grey, beside cgan's draft."""

import subprocess
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.figures import Figure
from bench.s2p.levin import colorize
from common.hints import Hints, parse_hints
from common.imaging import encode_image
from common.lab import lab_to_rgb, lab_to_rgb_keep_lightness, page_lightness, rgb_to_lab
from common.screentone import smooth_screentone
from workers.s2p.embedded import EmbeddedPainter
from workers.s2p.features import spread_hints
from workers.s2p.propagation import place_hints, shrink_guide, spread_chroma
from workers.s2p.upsampling import upsample_rows
from workers.s2p.views import simulate_people_hints, turn_grey

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
        grey = turn_grey(truth)
        for count in COUNTS:
            for seed in SEEDS:
                dots = simulate_people_hints(truth, count, np.random.default_rng((seed, count)))
                hints = Hints(size=(truth.shape[1], truth.shape[0]), hints=tuple(dots))
                chromas = (
                    np.zeros((*grey.shape, 2), dtype=np.float32),
                    levin_chroma(lab, hints, grey),
                    propagated_chroma(hints, grey),
                    painted_chroma(painter, hints, grey),
                )
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


def levin_chroma(lab: NDArray[np.float32], hints: Hints, grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Levin's colorization at 384 px wide from the same dots of the same hints, enlarged linearly."""
    guide = shrink_guide(smooth_screentone(grey))
    chroma, weight = place_hints(hints, guide)
    small = cv2.resize(lab[..., 0], guide.shape[::-1], interpolation=cv2.INTER_AREA).astype(np.float64) / 100
    spread = colorize(small, chroma.astype(np.float64), weight > 0).astype(np.float32)
    return np.asarray(cv2.resize(spread, grey.shape[::-1], interpolation=cv2.INTER_LINEAR))


def propagated_chroma(hints: Hints, grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What the painter starts from."""
    guide = shrink_guide(smooth_screentone(grey))
    chroma, weight = place_hints(hints, guide)
    spread = spread_chroma(guide, chroma, weight > 0)
    return np.asarray(cv2.resize(spread, grey.shape[::-1], interpolation=cv2.INTER_LINEAR))


def painted_chroma(painter: EmbeddedPainter, hints: Hints, grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The painter's own chroma, before it is laid over the page's lightness."""
    smooth = smooth_screentone(grey)
    page = spread_hints(smooth, hints)
    return upsample_rows(painter.colour(page), page.guide, smooth, slice(0, grey.shape[0]))


def measure_draft(folder: Path, painter: EmbeddedPainter, out: Path) -> list[Figure]:
    """The hints that the cgan room makes for the eval pages: chroma error of the rough picture beside the draft's."""
    pages = find_pages(folder)
    grey_pages = []
    for name in EVAL:
        grey = cv2.cvtColor(read(pages[name]), cv2.COLOR_RGB2GRAY)
        grey_pages.append(out / f"{name}.png")
        grey_pages[-1].write_bytes(encode_image(np.repeat(grey[..., None], 3, axis=2)))
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


def find_pages(folder: Path) -> dict[str, Path]:
    """Every file below the folder, by its name without the ending."""
    return {path.stem: path for path in sorted(folder.rglob("*")) if path.is_file()}


def read(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def _shrink(rgb: NDArray[np.uint8], width_px: int) -> NDArray[np.uint8]:
    height_px = round(rgb.shape[0] * width_px / rgb.shape[1])
    return np.asarray(cv2.resize(rgb, (width_px, height_px), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def chroma_error(picture: NDArray[np.uint8], truth: NDArray[np.uint8]) -> float:
    return float(np.linalg.norm(rgb_to_lab(picture)[..., 1:] - rgb_to_lab(truth)[..., 1:], axis=2).mean())


def psnr_db(picture: NDArray[np.uint8], truth: NDArray[np.uint8]) -> float:
    error = float(((picture.astype(np.float32) - truth) ** 2).mean())
    return float(10 * np.log10(255**2 / max(error, 1e-9)))
