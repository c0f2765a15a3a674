"""`make bench-metrics`: the metrics room beside its bars: speed and memory. Figures go to out/bench-metrics."""

import argparse
import sys
from pathlib import Path

from bench.figures import add_short_option, figures_file, report
from bench.metrics.speed import measure_distance, measure_page, measure_sets
from bench.metrics.throughput import measure_inception

OUT = Path(__file__).parents[2] / "out" / "bench-metrics"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.metrics", description=__doc__)
    add_short_option(parser)
    arguments = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    if arguments.short:
        figures = [*measure_page(), *measure_sets(OUT, 20, 100), *measure_distance(), *measure_inception(turns=1)]
    else:
        figures = [*measure_page(), *measure_sets(OUT), *measure_distance(), *measure_inception()]
    return report(figures, figures_file(OUT, "metrics", is_short=arguments.short))


if __name__ == "__main__":
    sys.exit(main())
