"""Pages a second of a long chapter, beside what its slowest stage could do alone; and what control takes meanwhile."""

import time

from bench.engine.house import House
from bench.figures import Figure
from common.names import STAGES, Stage

PAGES = 120
RAMP = 10
"""Pages at the start and at the end that do not count: the stages fill, and run empty."""
SLOW_S = 0.3
FAST_S = 0.1
BAR = 0.95
LIMIT_S = 180


def measure_throughput() -> list[Figure]:
    return [figure for slowest in (Stage.S2P, Stage.CGAN) for figure in _measure(slowest)]


def _measure(slowest: Stage) -> list[Figure]:
    with House(f"throughput-{slowest}", dict.fromkeys(STAGES, FAST_S) | {slowest: SLOW_S}) as house:
        cpu_s, started = house.control_cpu_s(), time.monotonic()
        job_id = house.chapters.submit("long", PAGES)
        house.wait_for(job_id, LIMIT_S)
        share = (house.control_cpu_s() - cpu_s) / (time.monotonic() - started)
        ends = house.chapters.page_ends(job_id)
    steady = ends[RAMP - 1 : -RAMP]
    rate = (len(steady) - 1) / (steady[-1] - steady[0])
    what = f"throughput, {slowest} {SLOW_S} s and the others {FAST_S} s"
    return [
        Figure(f"{what}: of the slowest stage's rate", rate * SLOW_S, "", BAR, at_least=True),
        Figure(f"{what}: control's share of a processor", share, ""),
    ]
