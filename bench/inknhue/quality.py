"""How near the room comes to the truth: beside rough pictures, simulated and of the pipeline itself."""

import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.figures import Figure
from bench.pages import chroma_error, psnr_db, read, turn_grey
from common.imaging import encode_image
from common.lab import lab_to_rgb, lab_to_rgb_keep_lightness, page_lightness, rgb_to_lab
from common.screentone import smooth_screentone
from samples.scanning import lift_lightness
from workers.inknhue.aligner import Aligner
from workers.inknhue.paint import align_page
from workers.inknhue.roughs import SATURATION, simulate_rough

ROOT = Path(__file__).parents[2]
REFERENCE = "e03p03"
WIDTH_PX = 768
SEEDS = range(4)
MEAN_SATURATION = float(np.sqrt(np.prod(SATURATION)))
CHROMA_BAR, PSNR_BAR_DB, SSIM_BAR = 0.8, 1.0, 0.99


def measure_roughs(
    pages: Mapping[str, NDArray[np.uint8]], aligner: Aligner, out: Path | None, seeds: Iterable[int] = SEEDS
) -> list[Figure]:
    """Simulated roughs of pages 768 px wide: chroma error and PSNR of aligned beside rough's own.

    Both with the page's lightness. `out` gets rough, aligned and truth side by side.
    """
    figures, ratios, gains, paler_ratios = [], [], [], []
    for name, page in pages.items():
        errors, gain_db = np.zeros(3), []
        truth = _shrink(page)
        grey = lift_lightness(truth)
        for seed in seeds:
            rng = np.random.default_rng(seed)
            rough = lab_to_rgb(simulate_rough(rgb_to_lab(truth), smooth_screentone(grey), rng))
            aligned = align_page(np.repeat(grey[..., None], 3, axis=2), rough, aligner).rgb
            kept = keep_lightness(rough, truth)
            paler = rgb_to_lab(rough) * np.float32([1, *(1 / MEAN_SATURATION,) * 2])
            errors += [chroma_error(picture, truth) for picture in (aligned, rough, lab_to_rgb(paler))]
            gain_db.append(psnr_db(aligned, truth) - psnr_db(kept, truth))
            if out:
                (out / f"{name}-{seed}.png").write_bytes(encode_image(np.hstack([rough, aligned, truth])))
        ratios.append(errors[0] / errors[1])
        paler_ratios.append(errors[2] / errors[1])
        gains.append(float(np.mean(gain_db)))
        figures.append(Figure(f"{name}: chroma error of aligned, simulated roughs", ratios[-1], "rough"))
        figures.append(Figure(f"{name}: PSNR of aligned above rough's with the page's lightness", gains[-1], "dB"))
    what = ", ".join(pages)
    return [
        *figures,
        Figure(f"{what}: chroma error of rough made paler by its mean excess", float(np.mean(paler_ratios)), "rough"),
        Figure(f"{what}: chroma error", float(np.mean(ratios)), "rough", CHROMA_BAR),
        Figure(f"{what}: PSNR above rough's", float(np.mean(gains)), "dB", PSNR_BAR_DB, True),
    ]


def measure_chapter(folder: Path, aligner: Aligner, seeds: Iterable[int] = SEEDS) -> list[Figure]:
    """As `measure_roughs`, of the sample chapter as a whole."""
    pages = {path.stem: read(path) for path in sorted(folder.iterdir())}
    paler, chroma, psnr = measure_roughs(pages, aligner, None, seeds)[-3:]
    return [
        Figure("sample chapter: chroma error of rough made paler by its mean excess", paler.value, "rough"),
        Figure("sample chapter: chroma error of aligned, simulated roughs", chroma.value, "rough", CHROMA_BAR),
        Figure("sample chapter: PSNR above rough's with the page's lightness", psnr.value, "dB", PSNR_BAR_DB, True),
    ]


def measure_pipeline(pages: Mapping[str, Path], names: Sequence[str], out: Path) -> list[Figure]:
    """From one reference to finished pages, room by room: chroma error of final beside rough's; SSIM of the greys."""
    greys = []
    for name in names:
        greys.append(out / f"{name}.png")
        greys[-1].write_bytes(encode_image(turn_grey(read(pages[name]))))
    _run("cgan", *greys, "--reference", pages[REFERENCE], "--out", out)
    _run("s2p", *greys, "--hints", *(out / name / "hints.json" for name in names), "--out", out)
    _run("inknhue", *greys, "--rough", *(out / name / "rough.png" for name in names), "--out", out)
    figures = []
    for name, grey in zip(names, greys, strict=True):
        truth, rough = read(pages[name]), read(out / name / "rough.png")
        final, aligned = (read(out / name / f"{artifact}.png") for artifact in ("final", "aligned"))
        base = chroma_error(keep_lightness(rough, read(grey)), truth)
        alike = float(_run("metrics", out / name / "final.png", grey, module="bench.inknhue.grey_ssim"))
        figures += [
            Figure(
                f"{name}: from the reference: chroma error of aligned", chroma_error(aligned, truth) / base, "rough"
            ),
            Figure(
                f"{name}: from the reference: chroma error of final", chroma_error(final, truth) / base, "rough", 1.0
            ),
            Figure(f"{name}: SSIM of final's grey and the page's", alike, "", SSIM_BAR, True),
        ]
    return figures


def keep_lightness(rough: NDArray[np.uint8], page: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Rough's chroma on the page's lightness."""
    return lab_to_rgb_keep_lightness(np.dstack([page_lightness(page), rgb_to_lab(rough)[..., 1:]]))


def _run(stage: str, *arguments: str | Path, module: str | None = None) -> str:
    """Run a room's command, or another module, in the room's environment; what it printed."""
    command = [ROOT / ".venvs" / stage / "bin" / "python", "-m", module or f"workers.{stage}", *arguments]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def _shrink(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    scale = min(1.0, WIDTH_PX / rgb.shape[1])
    return np.asarray(cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), dtype=np.uint8)
