"""Every stage as its shell command on one page: start of Python included."""

import os
import subprocess
import time

from PIL import Image

from bench.figures import Figure
from bench.house.pages import OUT, PAGE_PX, SAMPLE
from common.params import JobParams
from embedded.services import ROOT

EPOCHS = JobParams().epochs


def measure_shell(epochs: int = EPOCHS) -> list[Figure]:
    """Time and memory of each command; with fewer epochs than a job has, the bar of the training does not hold."""
    work = OUT / "stages"
    work.mkdir(exist_ok=True)
    page, reference = work / "page.png", SAMPLE / "reference.png"
    with Image.open(SAMPLE / "manga" / "002.png") as picture:
        picture.convert("RGB").resize(PAGE_PX, Image.Resampling.LANCZOS).save(page)
    made = work / "page"
    cgan = measure("cgan", [page, "--reference", reference, "--out", work, "--epochs", epochs])
    s2p = measure("s2p", [page, "--hints", made / "hints.json", "--out", work])
    inknhue = measure("inknhue", [page, "--sketch", made / "sketch.png", "--rough", made / "rough.png", "--out", work])
    real, output = work / "real", work / "output"
    for folder, source in ((real, SAMPLE / "colour" / "002.png"), (output, made / "final.png")):
        folder.mkdir(exist_ok=True)
        with Image.open(source) as picture:
            picture.convert("RGB").resize(PAGE_PX).save(folder / "page.png")
    metrics = measure("metrics", [real, output])
    commands = {"cgan": cgan, "s2p": s2p, "inknhue": inknhue, "metrics": metrics}
    training = "training" if epochs == EPOCHS else f"training of {epochs} of {EPOCHS} epochs"
    return [
        Figure(
            f"shell: {training} on one reference, and a page of 1.5 MP", cgan[0], "s", 90 if epochs == EPOCHS else None
        ),
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
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    return time.monotonic() - started, usage.ru_maxrss / 1024**2
