"""`make bench`: speed and memory of every stage and of the door, beside their bars. Figures go to out/bench."""

import io
import json
import os
import statistics
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import httpx
from PIL import Image

from bench.figures import Figure, report
from common.names import STAGES
from embedded.services import ROOT, Services, free_port

SAMPLE = ROOT / "samples" / "chapter"
PAGE_PX = (1028, 1460)
"""1.5 megapixels, portrait."""
OUT = ROOT / "out" / "bench"
SUBMISSIONS = 10


def main() -> int:
    OUT.mkdir(parents=True, exist_ok=True)
    figures = [*measure_stages(), *measure_house()]
    return report(figures, OUT / "bench.json")


def measure_stages() -> list[Figure]:
    """Every stage as its shell command on one page: start of Python included."""
    work = OUT / "stages"
    work.mkdir(exist_ok=True)
    page, reference = work / "page.png", SAMPLE / "reference.png"
    with Image.open(SAMPLE / "manga" / "002.png") as picture:
        picture.convert("RGB").resize(PAGE_PX, Image.Resampling.LANCZOS).save(page)
    made = work / "page"
    cgan = measure("cgan", [page, "--reference", reference, "--out", work])
    s2p = measure("s2p", [page, "--hints", made / "hints.json", "--out", work])
    inknhue = measure("inknhue", [page, "--sketch", made / "sketch.png", "--rough", made / "rough.png", "--out", work])
    real, output = work / "real", work / "output"
    for folder, source in ((real, SAMPLE / "colour" / "002.png"), (output, made / "final.png")):
        folder.mkdir(exist_ok=True)
        with Image.open(source) as picture:
            picture.convert("RGB").resize(PAGE_PX).save(folder / "page.png")
    metrics = measure("metrics", [real, output])
    commands = {"cgan": cgan, "s2p": s2p, "inknhue": inknhue, "metrics": metrics}
    return [
        Figure("shell: training on one reference, and a page of 1.5 MP", cgan[0], "s", 90),
        *(Figure(f"shell: {name}, a page of 1.5 MP", commands[name][0], "s", 8) for name in list(commands)[1:]),
        *(Figure(f"shell: {name}, peak memory", memory, "GiB", 1.5) for name, (_, memory) in commands.items()),
    ]


def measure(stage: str, arguments: list[object]) -> tuple[float, float]:
    """Wall time in s and peak resident memory in GiB of a stage's command."""
    command = [str(ROOT / ".venvs" / stage / "bin" / "python"), "-m", f"workers.{stage}", *map(str, arguments)]
    started = time.monotonic()
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}")
    return time.monotonic() - started, usage.ru_maxrss / 1024**2


def measure_house() -> list[Figure]:
    """The running house: a chapter of 20 pages of 1.5 MP, then how fast the door takes it again."""
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
            for _ in range(1 + SUBMISSIONS):
                started = time.monotonic()
                job = http.post("/v1/jobs", files=files, data={"params": json.dumps({"epochs": 1})}).json()
                seconds.append(time.monotonic() - started)
                # Workers must not be busy with one submission while the next is timed.
                while (state := http.get(job["links"]["self"], params={"wait": 30}).json()["status"]) != "succeeded":
                    if state in ("failed", "partial", "cancelled"):
                        sys.exit(f"the job ended {state}: see {OUT / 'nurie.log'}")
                if len(seconds) == 1:
                    pages = http.get(job["links"]["pages"]).json()["pages"]
        largest = max(worker_memory_gib())
    timings = [(stage, timing) for page in pages for stage, timing in page["timings"].items() if not timing["cached"]]
    slowest = {stage.value: max(timing["seconds"] for name, timing in timings if name == stage) for stage in STAGES}
    return [
        *(Figure(f"worker: {stage}, slowest page of 1.5 MP", value, "s", 8) for stage, value in slowest.items()),
        Figure("largest worker process after 20 pages", largest, "GiB", 1.5),
        Figure(f"submitting 20 pages ({len(archive) / 1e6:.0f} MB), first, workers starting", seconds[0], "s", 0.5),
        Figure("submitting 20 pages, median, workers idle", statistics.median(seconds[1:]), "s", 0.5),
        Figure("submitting 20 pages, slowest, workers idle", max(seconds[1:]), "s", 0.5),
    ]


def chapter_of_twenty() -> bytes:
    """The sample's manga pages at 1.5 MP over and over, no two alike, so that none is linked from another."""
    pages = [Image.open(path).convert("L").resize(PAGE_PX) for path in sorted((SAMPLE / "manga").glob("*.png"))]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for number in range(20):
            page = pages[number % len(pages)].copy()
            page.putpixel((0, 0), number)
            picture = io.BytesIO()
            page.save(picture, "PNG")
            file.writestr(f"{number:03}.png", picture.getvalue())
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
