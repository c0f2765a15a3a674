"""What trainings of embedded networks share: pictures made ahead, a folder that is gone on with, a log with curves."""

import argparse
import csv
import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import Any, Final, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from common.errors import InputError, NurieError
from common.imaging import decode_image

HELD_OUT: Final = ("e02p05", "e03p08")
"""The lower third of these pages is never trained on, and judges the curves."""

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


class StepSettings(Protocol):
    """What `take_steps` goes by; trainings describe theirs."""

    @property
    def steps(self) -> int: ...
    @property
    def seed(self) -> int: ...
    @property
    def batch(self) -> int: ...
    @property
    def pool(self) -> int: ...
    @property
    def refresh_every(self) -> int: ...
    @property
    def refresh(self) -> int: ...
    @property
    def judge_every(self) -> int: ...


def take_steps(
    settings: StepSettings,
    first: int,
    make: Callable[[int], View],
    train: Callable[[list[View], np.random.Generator], float],
    *,
    report: Callable[[dict[str, float]], None],
    before_s: float,
) -> None:
    """Take the steps of a training that are left.

    Args:
        settings: of the training.
        first: the step to begin with.
        make: gives the view of a number, as `ViewPool` takes it.
        train: takes one step on a batch of views, and gives its loss; the generator decides crops.
        report: gets a line for the log every so many steps.
        before_s: seconds that the steps before took.
    """
    started = time.monotonic() - before_s
    pool = ViewPool(make, settings.pool, settings.refresh, first // settings.refresh_every * settings.refresh)
    losses = []
    try:
        for step in range(first, settings.steps):
            rng = np.random.default_rng((settings.seed, 1, step))
            chosen = [pool.views[index] for index in rng.integers(len(pool.views), size=settings.batch)]
            losses.append(train(chosen, rng))
            if (step + 1) % settings.refresh_every == 0:
                pool.refresh()
            if (step + 1) % settings.judge_every == 0 or step + 1 == settings.steps:
                seconds = round(time.monotonic() - started)
                report({"step": step + 1, "seconds": seconds, "loss": float(np.mean(losses).round(5))})
                losses = []
    finally:
        pool.close()


def split_pages(
    painted: dict[str, NDArray[np.uint8]], held_out: Collection[str]
) -> tuple[list[NDArray[np.uint8]], list[NDArray[np.uint8]]]:
    """What is trained on, and what is held out: the lower thirds of the pages named."""
    seen, unseen = [], []
    for name, page in painted.items():
        cut = page.shape[0] * 2 // 3 if name in held_out else page.shape[0]
        seen.append(page[:cut])
        if name in held_out:
            unseen.append(page[cut:])
    return seen, unseen


Settings = TypeVar("Settings")


def run_command(
    module: str,
    description: str | None,
    make_settings: Callable[..., Settings],
    train: Callable[[dict[str, NDArray[np.uint8]], Settings, Path], None],
    arguments: list[str] | None,
) -> int:
    """Run a training as a command; the exit code is 2 when what was given cannot be used.

    Args:
        module: what it is called by.
        description: for its help.
        make_settings: the settings' class, with `steps` and `seed`.
        train: gets pages by name, settings and the folder.
        arguments: the process's own unless given.
    """
    defaults: Any = make_settings()
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="log, checkpoints and weights go here")
    parser.add_argument("--pages", type=Path, metavar="DIR", help="coloured pages; without, on drawn pages alone")
    parser.add_argument("--steps", type=int, default=defaults.steps)
    parser.add_argument("--seed", type=int, default=defaults.seed)
    options = parser.parse_args(arguments)
    painted = {
        path.stem: decode_image(path.read_bytes(), str(path))
        for path in (sorted(options.pages.iterdir()) if options.pages else [])
    }
    if options.pages and not painted:
        print(f"{module}: {options.pages} has no pages", file=sys.stderr)
        return 2
    # Ended by SIGTERM too, the processes that make views are closed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        train(painted, make_settings(steps=options.steps, seed=options.seed), options.out)
    except NurieError as error:
        print(f"{module}: {error}", file=sys.stderr)
        return 2
    return 0


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


def seconds_so_far(out: Path) -> float:
    """What the log says the steps so far took."""
    return max((line["seconds"] for line in read_log(out)), default=0.0)


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
