"""Which machine, system and code figures are from."""

import json
import os
import platform
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
LIBRARIES = {"cgan": ("torch", "numpy"), "s2p": ("tensorflow-cpu", "tensorflow")}
"""Environment → what is looked up in it: what most of the time goes into."""
BF16 = {"avx512_bf16", "amx_bf16", "bf16"}
"""With it a training is several times as fast."""
LOOK_UP = """
import importlib.metadata as m, json, sys
found = {}
for name in sys.argv[1:]:
    try: found[name] = m.version(name)
    except m.PackageNotFoundError: pass
print(json.dumps(found))
"""


def describe_machine() -> dict[str, str]:
    """Name → value, in the order in which they are told."""
    libraries: dict[str, str] = {}
    for environment, names in LIBRARIES.items():
        python = ROOT / ".venvs" / environment / "bin" / "python"
        libraries |= json.loads(_output(str(python), "-c", LOOK_UP, *names) or "{}")
    memory_gib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1024**3
    return {
        "processor": f"{_field(Path('/proc/cpuinfo'), 'model name', ':')}, {os.cpu_count()} processors",
        "bf16 in hardware": "yes" if BF16 & set(_field(Path("/proc/cpuinfo"), "flags", ":").split()) else "no",
        "memory": f"{memory_gib:.1f} GiB",
        "GPU": _gpus() or "none",
        "system": f"{_field(Path('/etc/os-release'), 'PRETTY_NAME', '=')}, Linux {platform.release()}",
        "Python": platform.python_version(),
        **libraries,
        "commit": _commit(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def _commit() -> str:
    commit = _output("git", "rev-parse", "--short", "HEAD")
    return f"{commit}, with changes" if commit and _output("git", "status", "--porcelain") else commit or "unknown"


def _gpus() -> str:
    if shutil.which("nvidia-smi") is None:
        return ""
    return ", ".join(_output("nvidia-smi", "--query-gpu=name", "--format=csv,noheader").splitlines())


def _field(file: Path, name: str, separator: str) -> str:
    lines = file.read_text().splitlines() if file.exists() else []
    found = (line.partition(separator)[2] for line in lines if line.partition(separator)[0].strip() == name)
    return next(found, "unknown").strip().strip('"')


def _output(*command: str) -> str:
    """What a command printed; nothing where it is missing or fails: then it is not told."""
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()
