"""How near drafts come to the truth: chroma error and PSNR beside grey, and beside the reference's mean colour."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.figures import Figure
from bench.pages import chroma_error, find_pages, psnr_db, read, turn_grey
from common.lab import lab_to_rgb, page_lightness, rgb_to_lab
from common.params import JobParams
from samples.balloons import Voice, measure_text
from samples.layout import cut_panels
from samples.page import balloon_centre
from samples.story import STORY
from workers.cgan.model import ReferenceModel, train_reference
from workers.cgan.paint import paint_page
from workers.cgan.training import TrainingSettings
from workers.cgan.working_size import shrink_page

PAIRS = (
    ("e03p02", ("e03p03",)),
    ("e03p05", ("e03p03",)),
    ("e03p06", ("e03p03", "e03p08")),
    ("e02p01", ("e02p03",)),
    ("e02p02", ("e02p03",)),
    ("e02p05", ("e02p03",)),
)
TWO_REFERENCES = ("e03p03", "e03p08")
PAGES_FOR_TWO = ("e03p02", "e03p05", "e03p06")


@dataclass(frozen=True)
class Result:
    """A draft beside its truth.

    Attributes:
        grey_rgb, draft_rgb, truth_rgb: (H, W, 3) uint8.
        error: mean distance of a and b to the truth's, Lab units; of grey, and of the reference's mean colour.
        gain_db: PSNR above grey's.
    """

    grey_rgb: NDArray[np.uint8]
    draft_rgb: NDArray[np.uint8]
    truth_rgb: NDArray[np.uint8]
    error: float
    grey_error: float
    mean_error: float
    gain_db: float

    @property
    def ratio(self) -> float:
        return self.error / self.grey_error


def judge(page: NDArray[np.uint8], truth: NDArray[np.uint8], model: ReferenceModel) -> Result:
    """Colour a grey page and compare."""
    draft = paint_page(page, model, JobParams()).draft_rgb
    lightness = page_lightness(page)
    mean = np.broadcast_to(model.samples[:, 1:].mean(axis=0), (*lightness.shape, 2))
    tinted = lab_to_rgb(np.dstack((lightness, mean)).astype(np.float32))
    errors = [chroma_error(picture, truth) for picture in (draft, page, tinted)]
    return Result(page, draft, truth, *errors, psnr_db(draft, truth) - psnr_db(page, truth))


def measure_sample(folder: Path, model: ReferenceModel) -> list[Figure]:
    """The sample chapter from its manga pages; then its bubbles."""
    results, tints, moved = [], [], []
    for number, script in enumerate(STORY, 1):
        name = f"{number:03d}.png"
        result = judge(read(folder / "manga" / name), read(folder / "colour" / name), model)
        results.append(result)
        for panel, outline in zip(script.panels, cut_panels(script.rows), strict=True):
            for balloon in panel.balloons:
                x, y = balloon_centre(balloon, outline)
                width, height = measure_text(balloon)
                # A bubble is round: its lettering lies in it whole, a caption's paper reaches further.
                grow = 8 if balloon.voice is Voice.CAPTION else 0
                rows = slice(int(y - height / 2 - grow), int(y + height / 2 + grow))
                columns = slice(int(x - width / 2 - grow), int(x + width / 2 + grow))
                lab = rgb_to_lab(result.draft_rgb[rows, columns])
                tints.append(float(np.hypot(lab[..., 1], lab[..., 2]).mean()))
                moved.append(float(np.abs(lab[..., 0] - page_lightness(result.grey_rgb[rows, columns])).max()))
    total = sum(result.error for result in results) / sum(result.grey_error for result in results)
    mean = sum(result.mean_error for result in results) / sum(result.grey_error for result in results)
    return [
        *(
            Figure(f"sample page {number}: chroma error", result.ratio, "grey")
            for number, result in enumerate(results, 1)
        ),
        Figure("sample chapter: chroma error of the reference's mean colour", mean, "grey"),
        Figure("sample chapter: chroma error", total, "grey", 0.5),
        Figure(f"sample chapter: chroma in the worst of {len(tints)} bubbles", max(tints), "Lab", 2),
        Figure("sample chapter: lightness of lettering moved by at most", max(moved), "L", 1),
    ]


def measure_real(folder: Path) -> tuple[list[Figure], dict[str, Result]]:
    """The six pairs of painted pages, turned grey; then what a second reference does."""
    models: dict[tuple[str, ...], ReferenceModel] = {}
    pages = find_pages(folder)

    def run(name: str, references: tuple[str, ...]) -> Result:
        if references not in models:
            pictures = [shrink_page(read(pages[reference])) for reference in references]
            models[references] = train_reference(pictures, TrainingSettings(), lambda _: None)
        truth = read(pages[name])
        return judge(turn_grey(truth), truth, models[references])

    results = {name: run(name, references) for name, references in PAIRS}
    figures = []
    for name, references in PAIRS:
        result, pair = results[name], f"{name} ← {' + '.join(references)}"
        figures += [
            Figure(
                f"{pair}: chroma error of the reference's mean colour", result.mean_error / result.grey_error, "grey"
            ),
            Figure(f"{pair}: chroma error", result.ratio, "grey", 1.1),
            Figure(f"{pair}: PSNR above grey's", result.gain_db, "dB"),
        ]
    ratios = [result.ratio for result in results.values()]
    gains_db = [result.gain_db for result in results.values()]
    figures += [
        Figure("six pairs: mean chroma error", float(np.mean(ratios)), "grey", 0.85),
        Figure(
            "six pairs: mean PSNR above grey's",
            float(np.mean(gains_db)),
            "dB",
            2,
            True,
        ),
    ]
    for name in PAGES_FOR_TWO:
        alone = min(run(name, (reference,)).error for reference in TWO_REFERENCES)
        both = run(name, TWO_REFERENCES).error
        figures.append(Figure(f"{name}: two references beside the better one", both / alone, "×", 1.03))
    return figures, results
