"""`make bench-engine`: the engine with stages of known length, beside its bars: fairness, overhead, throughput.

Redis, control and a worker a stage, as the Procfile has them, but without networks. Figures and logs go to
out/bench-engine.
"""

import sys
from functools import partial

from bench.engine.fairness import measure_shares, measure_waiting
from bench.engine.house import OUT
from bench.engine.overhead import measure_overhead
from bench.engine.simulation import measure_simulation
from bench.engine.throughput import measure_throughput
from bench.parts import run_parts
from common.names import Stage

PARTS = {
    "waiting": measure_waiting,
    "shares": measure_shares,
    "overhead": measure_overhead,
    "throughput": measure_throughput,
    "simulation": measure_simulation,
}
SHORT = {
    "waiting": partial(measure_waiting, flood_pages=500, probes=2),
    "shares": partial(measure_shares, tenants=8),
    "overhead": partial(measure_overhead, pages=10),
    "throughput": partial(measure_throughput, cases=[(Stage.S2P, 1.0, 40)]),
}


if __name__ == "__main__":
    sys.exit(run_parts("engine", __doc__, PARTS, SHORT, OUT))
