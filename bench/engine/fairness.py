"""Who waits for whom: one page behind another tenant's flood, behind a chapter of its own, and many tenants at once."""

import time

from bench.engine.house import House
from bench.figures import Figure
from common.names import STAGES

STAGE_S = 0.5
FLOOD_PAGES = 2000
UNDER_WAY_S = 6
"""So long the flood runs before a page comes behind it, in seconds."""
PROBES = 4
BAR_PAGE_TIMES = 2

TENANTS = 20
FEWEST_PAGES = 30
MORE_PAGES = 20
"""Every tenant's backlog is larger by so many pages than that of the tenant after it."""
JAIN_BAR = 0.95
LIMIT_S = 180


def measure_waiting(flood_pages: int = FLOOD_PAGES, probes: int = PROBES) -> list[Figure]:
    """How long until the first claim of a small job that comes behind much work, in times of a page."""
    with House("waiting", dict.fromkeys(STAGES, STAGE_S)) as house:
        house.chapters.submit("flood", flood_pages)
        time.sleep(UNDER_WAY_S)
        behind_other = [_wait(house, f"small-{number}") for number in range(probes)]
        behind_own = [_wait(house, "flood") for _ in range(probes)]
    what = f"page times until a page starts, the slowest of {probes}"
    return [
        Figure(f"{what}: behind another's {flood_pages}", max(behind_other), "", BAR_PAGE_TIMES),
        Figure(f"{what}: behind one's own", max(behind_own), "", BAR_PAGE_TIMES),
    ]


def _wait(house: House, tenant: str) -> float:
    """Submit a page and see it end; returns how long it took to its first claim, in times of a page."""
    job_id = house.chapters.submit(tenant, 1)
    house.wait_for(job_id, LIMIT_S)
    claimed_at = house.chapters.first_claim_at(job_id)
    assert claimed_at is not None
    return (claimed_at - house.chapters.created_at(job_id)) / house.page_s


def measure_shares(tenants: int = TENANTS) -> list[Figure]:
    """How evenly tenants of different backlogs are served, and what the engine alone can do: its stages take no time.

    Counted when so many pages are done as would be the half, had each tenant the fewest: none can have run dry by then.
    """
    enough = tenants * FEWEST_PAGES // 2
    with House("shares", dict.fromkeys(STAGES, 0.0)) as house:
        for number in range(tenants):  # the largest comes first
            house.chapters.insert(f"tenant-{number:02}", FEWEST_PAGES + MORE_PAGES * (tenants - 1 - number))
        done_before = sum(house.chapters.pages_done().values())
        started = time.monotonic()
        house.chapters.wake_control()
        while sum((done := house.chapters.pages_done()).values()) < enough:
            house.check()
            if time.monotonic() - started > LIMIT_S:
                raise TimeoutError(f"only {done} pages were done within {LIMIT_S} s")
            time.sleep(0.2)
        seconds = time.monotonic() - started
    shares = [done.get(f"tenant-{number:02}", 0) for number in range(tenants)]
    what = f"{tenants} tenants of {FEWEST_PAGES} to {FEWEST_PAGES + MORE_PAGES * (tenants - 1)} pages"
    return [
        Figure(f"Jain's index over {what}", jain(shares), "", JAIN_BAR, at_least=True),
        Figure("pages a second, stages of 0 s", (sum(done.values()) - done_before) / seconds, "1/s"),
    ]


def jain(shares: list[int]) -> float:
    """Jain's fairness index: 1 where all have the same, 1/n where one has all."""
    return sum(shares) ** 2 / (len(shares) * sum(share**2 for share in shares))
