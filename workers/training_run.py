"""What trainings of embedded networks share: pictures made ahead, a folder that is gone on with, a log with curves."""

import csv
import json
import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import Any, Generic, TypeVar

from common.errors import InputError

View = TypeVar("View")


class ViewPool(Generic[View]):
    """The newest views of an endless row, made by other processes while a network trains."""

    def __init__(self, make: Callable[[int], View], size: int, refresh: int, first: int) -> None:
        """
        Args:
            make: gives the view of a number; sent to other processes, so a function of a module, or a partial of one.
            size: views that are held.
            refresh: how many give way at a time.
            first: number of the first view.
        """
        context = multiprocessing.get_context("spawn")
        workers = min(size, max(1, len(os.sched_getaffinity(0))))
        self._executor = ProcessPoolExecutor(workers, context, _start_maker, (make,))
        self._next = first
        self._ahead: list[Future[View]] = []
        self._ask(size)
        self.views = [view.result() for view in self._ahead]
        self._ahead = []
        self._ask(refresh)

    def refresh(self) -> None:
        """Let the oldest views give way to those asked for last time, and ask for as many again."""
        fresh = [view.result() for view in self._ahead]
        self.views = [*self.views[len(fresh) :], *fresh]
        count, self._ahead = len(self._ahead), []
        self._ask(count)

    def close(self) -> None:
        self._executor.shutdown(cancel_futures=True)

    def _ask(self, count: int) -> None:
        self._ahead += [self._executor.submit(_make, self._next + index) for index in range(count)]
        self._next += count


_maker: dict[str, Callable[[int], Any]] = {}


def _start_maker(make: Callable[[int], Any]) -> None:
    os.nice(5)  # the network comes first
    _maker["make"] = make


def _make(number: int) -> Any:
    return _maker["make"](number)


def write_log(out: Path, line: dict[str, Any]) -> None:
    """Print a line, add it to the folder's log.csv, and draw its curves.svg anew."""
    print(", ".join(f"{key} {value}" for key, value in line.items()), flush=True)
    path = out / "log.csv"
    is_new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, line.keys())
        if is_new:
            writer.writeheader()
        writer.writerow(line)
    _draw_curves(list(read_log(out)), out / "curves.svg")


def claim_folder(out: Path, what: dict[str, Any]) -> None:
    """Raises InputError where the folder holds another training, which this one would go on from."""
    path = out / "started.json"
    if path.exists() and json.loads(path.read_text()) != what:
        raise InputError(f"{out}: holds a training with other settings or pages (started.json); give another folder")
    path.write_text(json.dumps(what, indent=1))


def read_log(out: Path) -> Iterator[dict[str, float]]:
    """The lines of a folder's log so far."""
    if not (out / "log.csv").exists():
        return
    with (out / "log.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            yield {key: float(value) for key, value in row.items()}


def _draw_curves(lines: list[dict[str, float]], path: Path) -> None:
    """Loss and gains over steps, each scaled to its own range, as an SVG."""
    last, drawn = max(line["step"] for line in lines), []
    for index, key in enumerate(key for key in lines[0] if key not in ("step", "seconds")):
        values = [line[key] for line in lines]
        low, span = min(values), max(max(values) - min(values), 1e-9)
        points = " ".join(
            f"{40 + 700 * line['step'] / last:.0f},{300 - 260 * (line[key] - low) / span:.0f}" for line in lines
        )
        colour = f"hsl({index * 70},70%,40%)"
        drawn.append(f'<polyline points="{points}" fill="none" stroke="{colour}"/>')
        drawn.append(f'<text x="760" y="{40 + 20 * index}" fill="{colour}">{key} {values[-1]:g}</text>')
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 960 320" font-family="sans-serif" font-size="14">'
        f"{''.join(drawn)}</svg>"
    )
