"""Pages a second of a long chapter, beside what its slowest stage could do alone; and what control takes meanwhile."""

import time
from collections.abc import Iterable

from bench.engine.house import House
from bench.figures import Figure
from common.names import STAGES, Stage

CASES = ((Stage.S2P, 1.0, 60), (Stage.S2P, 0.3, 120), (Stage.CGAN, 0.3, 120))
"""The slowest stage, the seconds that it takes, and the chapter's pages; the other stages take a third of it."""
RAMP = 10
"""Pages at the start and at the end that do not count: the stages fill, and run empty."""
BAR = 0.95
LIMIT_S = 180


def measure_throughput(cases: Iterable[tuple[Stage, float, int]] = CASES) -> list[Figure]:
    return [figure for case in cases for figure in _measure(*case)]


def _measure(slowest: Stage, slow_s: float, pages: int) -> list[Figure]:
    with House(f"throughput-{slowest}-{slow_s}", dict.fromkeys(STAGES, slow_s / 3) | {slowest: slow_s}) as house:
        cpu_s, started = house.control_cpu_s(), time.monotonic()
        job_id = house.chapters.submit("long", pages)
        house.wait_for(job_id, LIMIT_S)
        share = (house.control_cpu_s() - cpu_s) / (time.monotonic() - started)
        ends = house.chapters.page_ends(job_id)
    steady = ends[RAMP - 1 : -RAMP]
    rate = (len(steady) - 1) / (steady[-1] - steady[0])
    what = f"throughput, {slowest} {slow_s} s and the others a third of it"
    return [
        Figure(f"{what}: of the slowest stage's rate", rate * slow_s, "", BAR, at_least=True),
        Figure(f"{what}: control's share of a processor", share, ""),
    ]
