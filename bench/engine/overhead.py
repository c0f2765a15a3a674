"""What the engine adds to a page beyond its stages, while the workers have nothing else to do."""

import statistics

from bench.engine.house import House
from bench.figures import Figure
from common.names import STAGES

STAGE_S = 0.25
PAGES = 30
BAR_S = 0.3
LIMIT_S = 30


def measure_overhead(pages: int = PAGES) -> list[Figure]:
    to_page, to_job = [], []
    with House("overhead", dict.fromkeys(STAGES, STAGE_S)) as house:
        for _ in range(pages):
            job_id = house.chapters.submit("one-by-one", 1)
            house.wait_for(job_id, LIMIT_S)
            created_at, ended_at = house.chapters.created_at(job_id), house.chapters.ended_at(job_id)
            assert ended_at is not None
            to_page.append(house.chapters.page_ends(job_id)[-1] - created_at - house.page_s)
            to_job.append(ended_at - created_at - house.page_s)
    what = f"overhead of a page of {len(STAGES)} × {STAGE_S} s, workers idle"
    return [
        Figure(f"{what}: median to its end", statistics.median(to_page), "s", BAR_S),
        Figure(f"{what}: slowest of {pages}", max(to_page), "s"),
        # Beyond the page: the report on the whole set, and the archive.
        Figure(f"{what}: median to the job's end", statistics.median(to_job), "s", BAR_S),
    ]
