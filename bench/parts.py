"""A bench of several parts, of which some may be run alone."""

import argparse
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from bench.figures import Figure, report
from embedded.services import stop_on_signals

Part = Callable[[], list[Figure]]


def run_parts(name: str, about: str | None, parts: Mapping[str, Part], out: Path) -> int:
    """Measure all parts, or those that the command line names, and report; returns the exit code.

    Args:
        name: of the package, such as `api`: it is run as `python -m bench.api`, and its figures are `bench-api.json`.
        about: what `--help` says.
        parts: by name, in order.
        out: where the figures go.
    """
    parser = argparse.ArgumentParser(prog=f"python -m bench.{name}", description=about)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(parts)}; all where none is named")
    chosen = parser.parse_args().parts or list(parts)
    stop_on_signals()
    out.mkdir(parents=True, exist_ok=True)
    figures = [_load("before")]
    try:
        for part in chosen:
            print(f"measuring: {part}", flush=True)
            figures += [*parts[part](), _load(f"at the end of {part}")]
    finally:  # what was measured is told, whatever became of the rest
        code = report(figures, out / f"bench-{name}.json")
    return code


def _load(when: str) -> Figure:
    """Others' work on the machine makes every figure worse: it is told beside them."""
    return Figure(f"load of the last minute on {os.cpu_count()} processors, {when}", os.getloadavg()[0], "")
