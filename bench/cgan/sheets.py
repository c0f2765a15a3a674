"""Contact sheets: grey, what each preset makes of it, and the truth."""

import time
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.cgan.quality import PAIRS, Result, judge
from bench.cgan.speed import read
from common.imaging import encode_image
from common.params import JobParams
from workers.cgan.model import ReferenceModel
from workers.cgan.original.paint import paint_original
from workers.cgan.original.training import train_original

WIDTH_PX = 360
SAMPLE_PAGES = ("002.png", "003.png", "004.png")
ORIGINAL_EPOCHS = 100


def draw_sheets(
    sample: Path, model: ReferenceModel, real: dict[str, Result], out: Path, *, with_original: bool
) -> None:
    """Write sample.png and, where there are real pages, one sheet a page; rows: grey | original | default | truth."""
    results = [judge(read(sample / "manga" / name), read(sample / "colour" / name), model) for name in SAMPLE_PAGES]
    references = [read(sample / "reference.png")]
    rows = _rows(results, references, with_original)
    (out / "sample.png").write_bytes(encode_image(np.concatenate(rows)))
    print(f"written to {out / 'sample.png'}")
    for name, pair in PAIRS:
        if name in real:
            row = _rows([real[name]], None, with_original=False)[0]
            (out / f"{name}.png").write_bytes(encode_image(row))
            print(f"written to {out / f'{name}.png'}, from {' + '.join(pair)}")


def _rows(
    results: list[Result], references: list[NDArray[np.uint8]] | None, with_original: bool
) -> list[NDArray[np.uint8]]:
    originals: list[NDArray[np.uint8] | None] = [None] * len(results)
    if with_original and references is not None:
        started = time.monotonic()
        generator = train_original(references, ORIGINAL_EPOCHS, 0, lambda _: None)
        print(f"original: trained in {time.monotonic() - started:.0f} s")
        originals = [
            paint_original(result.grey_rgb, generator, JobParams(preset="original")).draft_rgb for result in results
        ]
    rows = []
    for result, original in zip(results, originals, strict=True):
        pictures = [result.grey_rgb, *([original] if original is not None else []), result.draft_rgb, result.truth_rgb]
        rows.append(np.concatenate([_shrink(picture) for picture in pictures], axis=1))
    return rows


def _shrink(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height = round(picture.shape[0] * WIDTH_PX / picture.shape[1])
    return np.asarray(cv2.resize(picture, (WIDTH_PX, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
