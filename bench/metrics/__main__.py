"""`make bench-metrics`: the metrics room beside its bars: speed and memory. Figures go to out/bench-metrics."""

import argparse
import sys
from pathlib import Path

from bench.figures import report
from bench.metrics.speed import measure_distance, measure_page, measure_sets
from bench.metrics.throughput import measure_inception

OUT = Path(__file__).parents[2] / "out" / "bench-metrics"


def main() -> int:
    argparse.ArgumentParser(prog="python -m bench.metrics", description=__doc__).parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    figures = [*measure_page(), *measure_sets(OUT), *measure_distance(), *measure_inception()]
    return report(figures, OUT / "bench-metrics.json")


if __name__ == "__main__":
    sys.exit(main())
