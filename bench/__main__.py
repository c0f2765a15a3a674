"""`make bench`: speed and memory of every stage and of the door, beside their bars. Figures go to out/bench."""

import io
import json
import os
import statistics
import subprocess
import sys
import time
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx
from PIL import Image

from client.services import ROOT, Services, free_port

SAMPLE = ROOT / "samples" / "chapter"
PAGE_PX = (1028, 1460)
"""1.5 megapixels, portrait."""
OUT = ROOT / "out" / "bench"
SUBMISSIONS = 10


@dataclass(frozen=True)
class Figure:
    """One measured figure and the most that it may be."""

    what: str
    value: float
    unit: str
    bar: float


def main() -> int:
    OUT.mkdir(parents=True, exist_ok=True)
    figures = [*measure_stages(), *measure_house()]
    for figure in figures:
        verdict = "ok" if figure.value <= figure.bar else "MISSED"
        print(f"{figure.what:<58}{figure.value:>9.2f} {figure.unit:<4} bar {figure.bar:g}  {verdict}")
    (OUT / "bench.json").write_text(json.dumps([asdict(figure) for figure in figures], indent=1))
    print(f"written to {OUT / 'bench.json'}")
    return 0 if all(figure.value <= figure.bar for figure in figures) else 1


def measure_stages() -> list[Figure]:
    """Every stage as its shell command on one page: start of Python included."""
    work = OUT / "stages"
    work.mkdir(exist_ok=True)
    page, reference = work / "page.png", SAMPLE / "reference.png"
    with Image.open(SAMPLE / "manga" / "002.png") as picture:
        picture.convert("RGB").resize(PAGE_PX, Image.Resampling.LANCZOS).save(page)
    made = work / "page"
    quick = measure("cgan", [page, "--reference", reference, "--out", work, "--epochs", "1"])
    full = measure("cgan", [page, "--reference", reference, "--out", work])
    s2p = measure("s2p", [page, "--hints", made / "hints.json", "--out", work])
    inknhue = measure("inknhue", [page, "--sketch", made / "sketch.png", "--rough", made / "rough.png", "--out", work])
    real, output = work / "real", work / "output"
    for folder, source in ((real, SAMPLE / "colour" / "002.png"), (output, made / "final.png")):
        folder.mkdir(exist_ok=True)
        with Image.open(source) as picture:
            picture.convert("RGB").resize(PAGE_PX).save(folder / "page.png")
    metrics = measure("metrics", [real, output])
    stages = {"cgan (with a training of 1 epoch)": quick, "s2p": s2p, "inknhue": inknhue, "metrics": metrics}
    return [
        Figure("training on one reference, 100 epochs, and a page", full[0], "s", 90),
        Figure("training: peak memory", full[1], "GiB", 1.5),
        *(Figure(f"{name}: a page of 1.5 MP", seconds, "s", 8) for name, (seconds, _) in stages.items()),
        *(Figure(f"{name}: peak memory", memory, "GiB", 1.5) for name, (_, memory) in stages.items()),
    ]


def measure(stage: str, arguments: list[object]) -> tuple[float, float]:
    """Wall time in s and peak resident memory in GiB of a stage's command."""
    command = [str(ROOT / ".venvs" / stage / "bin" / "python"), "-m", f"workers.{stage}", *map(str, arguments)]
    started = time.monotonic()
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}")
    return time.monotonic() - started, usage.ru_maxrss / 1024**2


def measure_house() -> list[Figure]:
    """The running house: how fast it takes a chapter of 20 pages, and how large its workers are after a job."""
    environment = {
        "NURIE_DATA": str(OUT / f"var-{os.getpid()}"),
        "NURIE_BROKER_URL": f"redis://127.0.0.1:{free_port()}/0",
    }
    archive = chapter_of_twenty()
    seconds = []
    with Services(environment, free_port(), log=OUT / "nurie.log") as services:
        services.wait_until_ready()
        with httpx.Client(base_url=services.base_url, timeout=600) as http:
            for index in range(SUBMISSIONS):
                started = time.monotonic()
                files = {
                    "archive": ("chapter.cbz", archive),
                    "references": ("r.png", (SAMPLE / "reference.png").read_bytes()),
                }
                job = http.post("/v1/jobs", files=files, data={"params": json.dumps({"epochs": 1, "seed": index})})
                job.raise_for_status()
                seconds.append(time.monotonic() - started)
                # Workers must not be busy with one submission while the next is timed.
                http.post(f"{job.json()['links']['self']}/cancel").raise_for_status()
            job = http.post("/v1/jobs", files=files, data={"params": json.dumps({"epochs": 1})}).json()
            while http.get(job["links"]["self"], params={"wait": 30}).json()["status"] not in ("succeeded", "failed"):
                pass
        largest = max(worker_memory_gib())
    return [
        Figure(f"submitting 20 pages ({len(archive) / 1e6:.0f} MB), median", statistics.median(seconds), "s", 0.5),
        Figure("submitting 20 pages, slowest", max(seconds), "s", 0.5),
        Figure("largest worker process after 20 pages", largest, "GiB", 1.5),
    ]


def chapter_of_twenty() -> bytes:
    pages = sorted((SAMPLE / "manga").glob("*.png"))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for number in range(20):
            file.writestr(f"{number:03}.png", pages[number % len(pages)].read_bytes())
    return buffer.getvalue()


def worker_memory_gib() -> list[float]:
    """Peak resident memory of the worker processes of this repository, in GiB."""
    found = [0.0]
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if str(ROOT / ".venvs").encode() not in (folder / "cmdline").read_bytes() + bytes(
                (folder / "exe").readlink()
            ):
                continue
            peak = next(line for line in (folder / "status").read_text().splitlines() if line.startswith("VmHWM"))
            found.append(int(peak.split()[1]) / 1024**2)
        except (OSError, StopIteration):
            continue  # it has ended since
    return found


if __name__ == "__main__":
    sys.exit(main())
