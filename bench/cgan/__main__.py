"""`make bench-cgan`: the cGAN room beside its bars: speed, memory, quality. Figures and sheets go to out/bench-cgan."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from bench.cgan.quality import measure_real, measure_sample
from bench.cgan.sheets import draw_sheets
from bench.cgan.speed import (
    EPOCHS,
    MEMORY_CASES,
    measure_memory,
    measure_painting,
    measure_regions,
    measure_training,
)
from bench.figures import Figure, add_short_option, figures_file, report

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "samples" / "chapter"
OUT = ROOT / "out" / "bench-cgan"
SHORT_EPOCHS = 5


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.cgan", description=__doc__)
    parser.add_argument("--pages", type=Path, help="folder of the Pepper&Carrot pages e02p01 … e03p08, at any depth")
    parser.add_argument("--original", action="store_true", help="train the original whole too, for the contact sheets")
    add_short_option(parser)
    arguments = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    if arguments.short:
        return report(measure_short(), figures_file(OUT, "cgan", is_short=True))
    training, model = measure_training(SAMPLE / "reference.png")
    figures = [*training, *measure_regions(SAMPLE / "manga" / "002.png")]
    figures += measure_painting(SAMPLE / "manga" / "002.png", model)
    figures += measure_memory(SAMPLE / "manga" / "002.png", model, OUT)
    figures += measure_sample(SAMPLE, model)
    real = {}
    if arguments.pages:
        more, real = measure_real(arguments.pages)
        figures += more
    else:
        print("skipped: the six real pairs, for want of --pages")
    code = report(figures, figures_file(OUT, "cgan"))
    draw_sheets(SAMPLE, model, arguments.pages, real, OUT, with_original=arguments.original)
    return code


def measure_short() -> list[Figure]:
    """Speed and memory beside their bars; quality after a fraction of the training, beside none."""
    training, model = measure_training(SAMPLE / "reference.png", epochs=SHORT_EPOCHS, iterations=1)
    page = SAMPLE / "manga" / "002.png"
    figures = [*training, *measure_regions(page), *measure_painting(page, model)]
    figures += measure_memory(page, model, OUT, MEMORY_CASES[:1])
    for figure in measure_sample(SAMPLE, model):
        if figure.what.endswith("chroma error"):
            what = f"{figure.what}, after {SHORT_EPOCHS} of {EPOCHS} epochs"
            figures.append(replace(figure, what=what, bar=None))
        else:
            figures.append(figure)
    return figures


if __name__ == "__main__":
    sys.exit(main())
