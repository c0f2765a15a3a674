"""`make bench-engine`: the engine with stages of known length, beside its bars: fairness, overhead, throughput.

Redis, control and a worker a stage, as the Procfile has them, but without networks. Figures and logs go to
out/bench-engine.
"""

import argparse
import os
import sys

from bench.engine.fairness import measure_shares, measure_waiting
from bench.engine.house import OUT
from bench.engine.overhead import measure_overhead
from bench.engine.throughput import measure_throughput
from bench.figures import Figure, report
from client.services import stop_on_signals

PARTS = {
    "waiting": measure_waiting,
    "shares": measure_shares,
    "overhead": measure_overhead,
    "throughput": measure_throughput,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.engine", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all where none is named")
    parts = parser.parse_args().parts or list(PARTS)
    stop_on_signals()
    OUT.mkdir(parents=True, exist_ok=True)
    figures = [_load("before")]
    try:
        for part in parts:
            print(f"measuring: {part}", flush=True)
            figures += [*PARTS[part](), _load(f"at the end of {part}")]
    finally:  # what was measured is told, whatever became of the rest
        code = report(figures, OUT / "bench-engine.json")
    return code


def _load(when: str) -> Figure:
    """Others' work on the machine makes every figure worse: it is told beside them."""
    return Figure(f"load of the last minute on {os.cpu_count()} processors, {when}", os.getloadavg()[0], "")


if __name__ == "__main__":
    sys.exit(main())
