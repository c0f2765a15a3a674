"""`make bench-s2p`: the Style2Paints room beside its bars: speed, memory, quality. Figures go to out/bench-s2p."""

import argparse
import sys
from pathlib import Path

from bench.figures import add_short_option, figures_file, report
from bench.pages import read
from bench.s2p.quality import measure_draft, measure_hints
from bench.s2p.speed import PAGE_PX, measure_embedded, measure_memory, measure_official
from workers.s2p.embedded import EmbeddedPainter

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "samples" / "chapter"
OUT = ROOT / "out" / "bench-s2p"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.s2p", description=__doc__)
    parser.add_argument(
        "--pages", type=Path, help="folder of the Pepper&Carrot pages e03p03, e03p05, e03p06, at any depth"
    )
    add_short_option(parser)
    arguments = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    painter = EmbeddedPainter()
    colour = read(SAMPLE / "colour" / "002.png")
    if arguments.short:
        figures = [*measure_embedded(colour, painter, ()), *measure_memory(colour, OUT, {"1.5 MP": PAGE_PX})]
    else:
        figures = [*measure_embedded(colour, painter), *measure_memory(colour, OUT)]
    figures += measure_official(ROOT / "tests" / "golden" / "s2p")
    if arguments.pages and not arguments.short:
        figures += [*measure_hints(arguments.pages, painter), *measure_draft(arguments.pages, painter, OUT)]
    else:
        print("skipped: quality on real pages, for want of --pages")
    return report(figures, figures_file(OUT, "s2p", is_short=arguments.short))


if __name__ == "__main__":
    sys.exit(main())
