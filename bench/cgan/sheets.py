"""Contact sheets: grey, what each preset makes of it, and the truth."""

import time
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.cgan.quality import PAIRS, Result, judge
from bench.pages import find_pages, read
from common.imaging import encode_image
from common.params import JobParams
from workers.cgan.model import ReferenceModel
from workers.cgan.original.paint import paint_original
from workers.cgan.original.training import train_original
from workers.cgan.working_size import shrink_page

WIDTH_PX = 360
SAMPLE_PAGES = ("002.png", "003.png", "004.png")
ORIGINAL_EPOCHS = 100


def draw_sheets(
    sample: Path, model: ReferenceModel, pages: Path | None, real: dict[str, Result], out: Path, *, with_original: bool
) -> None:
    """Write sample.png and, where there are real pages, one for each page: grey | original | default | truth."""
    results = [judge(read(sample / "manga" / name), read(sample / "colour" / name), model) for name in SAMPLE_PAGES]
    _write(out / "sample.png", results, [sample / "reference.png"] if with_original else [])
    for references in dict.fromkeys(references for name, references in PAIRS if name in real):
        names = [name for name, others in PAIRS if others == references and name in real]
        paths = [find_pages(pages)[reference] for reference in references] if pages and with_original else []
        drafts = _paint_original(paths, [real[name] for name in names])
        for name, draft in zip(names, drafts, strict=True):
            (out / f"{name}.png").write_bytes(encode_image(_join(real[name], draft)))
            print(f"written to {out / f'{name}.png'}, from {' + '.join(references)}", flush=True)


def _write(path: Path, results: list[Result], references: list[Path]) -> None:
    drafts = _paint_original(references, results)
    rows = [_join(result, draft) for result, draft in zip(results, drafts, strict=True)]
    path.write_bytes(encode_image(np.concatenate(rows)))
    print(f"written to {path}", flush=True)


def _paint_original(references: Iterable[Path], results: list[Result]) -> list[NDArray[np.uint8] | None]:
    """What the original, trained whole on the references, makes of each page; None for each without references."""
    pictures = [shrink_page(read(path)) for path in references]
    if not pictures:
        return [None] * len(results)
    started = time.monotonic()
    generator = train_original(pictures, ORIGINAL_EPOCHS, 0, lambda _: None)
    print(f"original: trained in {time.monotonic() - started:.0f} s", flush=True)
    return [paint_original(result.grey_rgb, generator, JobParams(preset="original")).draft_rgb for result in results]


def _join(result: Result, original: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    pictures = [result.grey_rgb, *([original] if original is not None else []), result.draft_rgb, result.truth_rgb]
    return np.concatenate([_shrink(picture) for picture in pictures], axis=1)


def _shrink(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height = round(picture.shape[0] * WIDTH_PX / picture.shape[1])
    return np.asarray(cv2.resize(picture, (WIDTH_PX, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
