"""`make bench-inknhue`: the inkn'hue room beside its bars: speed, memory, quality. Figures go to out/bench-inknhue."""

import argparse
import sys
from pathlib import Path

from bench.figures import add_short_option, figures_file, report
from bench.inknhue.quality import measure_chapter, measure_pipeline, measure_roughs
from bench.inknhue.speed import MEMORY_CASES, measure_embedded, measure_memory, measure_official
from bench.pages import find_pages, read
from workers.inknhue.aligner import open_embedded

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "samples" / "chapter" / "colour"
OUT = ROOT / "out" / "bench-inknhue"
EVAL = ("e03p05", "e03p06")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.inknhue", description=__doc__)
    parser.add_argument(
        "--pages", type=Path, help="folder of the Pepper&Carrot pages e03p03, e03p05, e03p06, at any depth"
    )
    add_short_option(parser)
    arguments = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    aligner = open_embedded()
    colour = read(SAMPLE / "002.png")
    if arguments.short:
        figures = [*measure_embedded(colour, aligner, ())]
        figures += measure_memory(colour, OUT, {"1.5 MP": MEMORY_CASES["1.5 MP"]})
        figures += measure_chapter(SAMPLE, aligner, seeds=(0,))
        return report(figures, figures_file(OUT, "inknhue", is_short=True))
    figures = [*measure_embedded(colour, aligner), *measure_memory(colour, OUT), *measure_official(OUT)]
    figures += measure_chapter(SAMPLE, aligner)
    if arguments.pages:
        pages = find_pages(arguments.pages)
        figures += measure_roughs({name: read(pages[name]) for name in EVAL}, aligner, OUT)
        figures += measure_pipeline(pages, EVAL, OUT)
    else:
        print("skipped: quality on real pages, for want of --pages")
    return report(figures, figures_file(OUT, "inknhue"))


if __name__ == "__main__":
    sys.exit(main())
