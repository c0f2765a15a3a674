"""The doctor's look at the machine and at what is installed on it: environments, disk, memory, weights, version.

Nothing is made, changed or started.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from rich.filesize import decimal

from admin.findings import Finding, State
from admin.installation import find_accelerator
from admin.models import ModelSet
from common.names import STAGES, VERSION

PYTHON: Final = (3, 11)
LITTLE_DISK_BYTES: Final = 10_000_000_000
"""A chapter's pages, drafts and results take some hundred MB."""
NO_DISK_BYTES: Final = 500_000_000
LITTLE_MEMORY_BYTES: Final = 4_000_000_000
"""Four stages with about 1 GB each for pages of 3 megapixels."""
GIT_LIMIT_S: Final = 10


def judge_python(version: tuple[int, int, int]) -> Finding:
    said = ".".join(map(str, version))
    if version[:2] == PYTHON:
        return Finding(State.OK, "Python", said)
    return Finding(State.BROKEN, "Python", f"{said}; Nurie needs 3.11", "make setup PYTHON=/path/to/python3.11")


def find_environments(root: Path) -> dict[str, str | None]:
    """Each environment of the house with what it was made for; None where it is not ready."""
    own = "" if (root / ".venv" / ".ready").is_file() else None
    return {".venv": own} | {f".venvs/{stage}": find_accelerator(root, stage) for stage in STAGES}


def judge_environments(found: Mapping[str, str | None], *, is_alone: bool) -> list[Finding]:
    """Args:
    is_alone: whether all stages run here; where the broker is shared, other machines may have those missing here.
    """
    findings = []
    for name, accelerator in found.items():
        if accelerator is not None:
            findings.append(Finding(State.OK, f"environment {name}", "ready"))
        else:
            state = State.BROKEN if is_alone or name == ".venv" else State.WARNING
            findings.append(Finding(state, f"environment {name}", "missing", "make setup"))
    return findings


def judge_accelerator(made_for: Iterable[str | None], *, has_gpu: bool) -> Finding:
    """Args:
    made_for: of each stage's environment: cpu, cu, or None where it is not ready.
    has_gpu: whether an NVIDIA GPU is here.
    """
    kinds = sorted({kind for kind in made_for if kind})
    gpu = "an NVIDIA GPU is here" if has_gpu else "no NVIDIA GPU is here"
    if not kinds:
        return Finding(State.WARNING, "accelerator", f"no environment is ready; {gpu}", "make setup")
    if kinds == ["cpu"]:
        remedy = "NURIE_ACCELERATOR=cu make setup lets the stages use it" if has_gpu else None
        return Finding(
            State.WARNING if has_gpu else State.OK, "accelerator", f"environments for the CPU; {gpu}", remedy
        )
    if kinds == ["cu"]:
        remedy = None if has_gpu else "make setup, or see why the driver's /dev/nvidia0 is not here"
        return Finding(State.OK if has_gpu else State.WARNING, "accelerator", f"environments for CUDA; {gpu}", remedy)
    detail = f"some environments for the CPU, some for CUDA; {gpu}"
    return Finding(State.WARNING, "accelerator", detail, "NURIE_ACCELERATOR=cu make setup, or make setup for the CPU")


def has_gpu(devices: Path = Path("/dev")) -> bool:
    return any(re.fullmatch(r"nvidia\d+", path.name) for path in devices.glob("nvidia*"))


def find_above(path: Path) -> Path:
    """The path itself, or the nearest folder above that is there."""
    return next(place for place in (path.absolute(), *path.absolute().parents) if place.exists())


def look_at_disks(places: Mapping[str, Path]) -> list[Finding]:
    """One line for each file system, with what lies or will lie on it.

    Args:
        places: by name, such as data; they need not be there yet.
    """
    by_device: dict[int, list[str]] = {}
    for name, path in places.items():
        by_device.setdefault(find_above(path).stat().st_dev, []).append(name)
    return [
        judge_disk(", ".join(names), places[names[0]], shutil.disk_usage(find_above(places[names[0]])).free)
        for names in by_device.values()
    ]


def judge_disk(names: str, path: Path, free_bytes: int) -> Finding:
    detail = f"{decimal(free_bytes)} free for {names} ({path.absolute()})"
    if free_bytes < NO_DISK_BYTES:
        return Finding(State.BROKEN, "disk", detail, "make room, or name another folder with NURIE_DATA")
    if free_bytes < LITTLE_DISK_BYTES:
        return Finding(State.WARNING, "disk", detail, "make room: a long job may fill it (docs/retention.md)")
    return Finding(State.OK, "disk", detail)


def read_available_memory(meminfo: Path = Path("/proc/meminfo")) -> int | None:
    """Bytes that programs can have now; None where the system does not say."""
    found = re.search(r"^MemAvailable:\s+(\d+) kB$", meminfo.read_text(), re.MULTILINE) if meminfo.is_file() else None
    return int(found[1]) * 1024 if found else None


def judge_memory(free_bytes: int | None, cores: int) -> Finding:
    processors = f"{cores} {'core' if cores == 1 else 'cores'}"
    if free_bytes is None:
        return Finding(State.OK, "memory", f"not known; {processors}")
    detail = f"{decimal(free_bytes)} free; {processors}"
    if free_bytes < LITTLE_MEMORY_BYTES:
        return Finding(State.WARNING, "memory", detail, "lower NURIE_MAX_PIXELS, or end what takes it")
    return Finding(State.OK, "memory", detail)


def judge_models(chosen: ModelSet, models: Path) -> Finding:
    """Whether a set is here; not whether it is good, which takes long (`nurie models check`)."""
    missing = [file for file in chosen.files if not (chosen.folder(models) / file).is_file()]
    what = f"models {chosen.name}"
    if not missing:
        return Finding(State.OK, what, f"here ({chosen.folder(models)}); not looked into: nurie models check")
    if len(missing) == len(chosen.files):
        return Finding(State.OK, what, f"not installed; used instead: {chosen.instead_of_none}")
    # The stage fails on some of those that go together.
    is_torn = 0 < len(set(missing) & set(chosen.together)) < len(chosen.together)
    way = f"nurie models {'fetch' if chosen.source else 'add'} {chosen.name}{'' if chosen.source else ' FOLDER'}"
    detail = f"partly here, without {', '.join(missing)}; used instead: {chosen.instead_of_some}"
    return Finding(State.BROKEN if is_torn else State.WARNING, what, detail, way)


def look_at_version(root: Path) -> Finding:
    if not (root / ".git").exists():
        return Finding(State.OK, "Nurie", f"{VERSION}, not a git checkout ({root})")
    # Neither the index is written anew nor a watcher started that the user's own settings may ask for.
    command = ["git", "-C", str(root), "--no-optional-locks", "-c", "core.fsmonitor=false"]
    try:
        ended = subprocess.run(  # noqa: S603  our own command
            [*command, "describe", "--always", "--exclude=*", "--dirty= with changes"],
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=GIT_LIMIT_S,
            env=os.environ | {"LC_ALL": "C"},
        )
        commit = ended.stdout.strip() if ended.returncode == 0 else "unknown: git does not say"
    except (OSError, subprocess.TimeoutExpired):
        commit = "unknown: git does not answer"
    return Finding(State.OK, "Nurie", f"{VERSION}, commit {commit} ({root})")
