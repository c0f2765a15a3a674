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
    load_before = os.getloadavg()[0]
    figures = [figure for part in parts for figure in PARTS[part]()]
    beside = f"load of the machine before, {os.cpu_count()} processors"
    return report([*figures, Figure(beside, load_before, "")], OUT / "bench-engine.json")


if __name__ == "__main__":
    sys.exit(main())
