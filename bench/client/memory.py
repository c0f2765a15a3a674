"""How much memory the command needs for an archive of 2 GB: sent, written again, and taken from the server."""

import shutil
import time
from pathlib import Path

from bench.api.submissions import make_page, write_archive
from bench.client.house import OUT, open_house, start_nurie
from bench.figures import Figure
from tests.client.wire import Wire

ARCHIVE_BYTES = 2_000_000_000
MOST_MB = 150
EVERY_S = 0.02


def measure_memory(size_bytes: int = ARCHIVE_BYTES) -> list[Figure]:
    if shutil.disk_usage(OUT).free < 8 * size_bytes:
        raise RuntimeError(f"this needs {8 * size_bytes / 1e9:g} GB of disk in {OUT}")
    with open_house("memory") as (_, wire, folder):
        (folder / "cover.png").write_bytes(make_page(5000, coloured=True))
        pages = write_archive(folder / "ch12.cbz", size_bytes)
        written = (folder / "ch12.cbz").stat().st_size
        figures = [Figure(f"archive of {pages} pages", written / 1e9, "GB")]
        size = f"{size_bytes / 1e9:.2g} GB"
        runs = {
            "nurie --version": ("--version",),
            f"nurie colorize, {size}": ("colorize", "ch12.cbz", "-r", "cover.png", "-o", "out.cbz"),
            f"nurie download, {size}": ("download", "last", "-o", "theirs.cbz"),
        }
        for what, arguments in runs.items():
            seconds, peak = _run(wire, folder, *arguments)
            bar = MOST_MB if size in what else None
            figures += [Figure(f"{what}: memory, most", peak / 1e6, "MB", bar), Figure(f"{what}: time", seconds, "s")]
    return figures


def _run(wire: Wire, folder: Path, *arguments: str) -> tuple[float, int]:
    """How long it took, in seconds, and the most memory that it had, in bytes."""
    started = time.monotonic()
    client = start_nurie(wire, folder, *arguments)
    peak = 0
    while client.poll() is None:
        peak = max(peak, _most_memory(client.pid))
        time.sleep(EVERY_S)
    if client.returncode != 0:
        raise RuntimeError(f"nurie {arguments[0]} failed: see {folder / 'nurie.log'}")
    return time.monotonic() - started, peak


def _most_memory(pid: int) -> int:
    """The kernel's own high-water mark, in bytes; not `ru_maxrss`, which has the parent's memory in it."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:  # it has just ended
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)
