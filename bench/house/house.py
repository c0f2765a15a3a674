"""The running house: a chapter of 20 pages of 1.5 MP, then how fast the door takes it again."""

import json
import os
import statistics
import time
from pathlib import Path

import httpx

from bench.figures import Figure
from bench.house.pages import OUT, SAMPLE, chapter_of_twenty
from common.names import STAGES
from embedded.services import Services, free_port

SUBMISSIONS = 10


def measure_house(submissions: int = SUBMISSIONS) -> list[Figure]:
    """One submission while workers start, and so many more while they are idle."""
    environment = {
        "NURIE_DATA": str(OUT / f"var-{os.getpid()}"),
        "NURIE_BROKER_URL": f"redis://127.0.0.1:{free_port()}/0",
    }
    archive = chapter_of_twenty()
    files = {"archive": ("chapter.cbz", archive), "references": ("r.png", (SAMPLE / "reference.png").read_bytes())}
    seconds = []
    with Services(environment, free_port(), log=OUT / "nurie.log") as services:
        services.wait_until_ready()
        with httpx.Client(base_url=services.base_url, timeout=600) as http:
            for _ in range(1 + submissions):
                started = time.monotonic()
                job = http.post("/v1/jobs", files=files, data={"params": json.dumps({"epochs": 1})}).json()
                seconds.append(time.monotonic() - started)
                # Workers must not be busy with one submission while the next is timed.
                while (state := http.get(job["links"]["self"], params={"wait": 30}).json()["status"]) != "succeeded":
                    if state in ("failed", "partial", "cancelled"):
                        raise RuntimeError(f"the job ended {state}: see {OUT / 'nurie.log'}")
                if len(seconds) == 1:
                    pages = http.get(job["links"]["pages"]).json()["pages"]
        largest = max(worker_memory_gib(environment["NURIE_DATA"]))
    timings = [(stage, timing) for page in pages for stage, timing in page["timings"].items() if not timing["cached"]]
    slowest = {stage.value: max(timing["seconds"] for name, timing in timings if name == stage) for stage in STAGES}
    return [
        *(Figure(f"worker: {stage}, slowest page of 1.5 MP", value, "s", 8) for stage, value in slowest.items()),
        Figure("largest worker process after 20 pages", largest, "GiB", 1.5),
        Figure(f"submitting 20 pages ({len(archive) / 1e6:.0f} MB), first, workers starting", seconds[0], "s", 0.5),
        Figure("submitting 20 pages, median, workers idle", statistics.median(seconds[1:]), "s", 0.5),
        Figure("submitting 20 pages, slowest, workers idle", max(seconds[1:]), "s", 0.5),
    ]


def worker_memory_gib(data: str) -> list[float]:
    """Peak resident memory of each worker process of the house with its data there, in GiB. Raises RuntimeError."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"NURIE_DATA={data}" not in (folder / "environ").read_text().split("\0"):
                continue
            if "/.venvs/" not in (folder / "cmdline").read_text():
                continue
            peak = next(line for line in (folder / "status").read_text().splitlines() if line.startswith("VmHWM"))
            found.append(int(peak.split()[1]) / 1024**2)
        except (OSError, UnicodeError, StopIteration):
            continue  # it has ended since, or is somebody else's
    if not found:
        raise RuntimeError("no worker of the house was found")
    return found
