"""A bench of several parts, of which some may be run alone."""

import argparse
import os
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

from bench.figures import Figure, add_short_option, figures_file, report
from embedded.services import stop_on_signals

Part = Callable[[], list[Figure]]


def run_parts(name: str, about: str | None, parts: Mapping[str, Part], short: Mapping[str, Part], out: Path) -> int:
    """Measure all parts, or those that the command line names, and report; returns the exit code.

    A part that fails is told as such, and the others are measured.

    Args:
        name: of the package, such as `api`: it is run as `python -m bench.api`, and its figures are `bench-api.json`.
        about: what `--help` says.
        parts: by name, in order.
        short: the same in short form, for `--short`.
        out: where the figures go.
    """
    parser = argparse.ArgumentParser(prog=f"python -m bench.{name}", description=about)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(parts)}; all where none is named")
    add_short_option(parser)
    arguments = parser.parse_args()
    chosen = arguments.parts or list(parts)
    if unknown := sorted(set(chosen) - set(parts)):
        parser.error(f"no such part: {', '.join(unknown)}")
    stop_on_signals()
    out.mkdir(parents=True, exist_ok=True)
    figures, failures = [_load("before")], {}
    try:
        for part in chosen:
            print(f"measuring: {part}", flush=True)
            try:
                figures += (short if arguments.short else parts)[part]()
            except Exception as error:  # noqa: BLE001  it is told beside what the other parts measured
                traceback.print_exc()
                failures[part] = f"{type(error).__name__}: {error}"
            figures.append(_load(f"at the end of {part}"))
    finally:  # what was measured is told, whatever became of the rest
        code = report(figures, figures_file(out, name, is_short=arguments.short), failures)
    return code


def _load(when: str) -> Figure:
    """Others' work on the machine makes every figure worse: it is told beside them."""
    return Figure(f"load of the last minute on {os.cpu_count()} processors, {when}", os.getloadavg()[0], "")
