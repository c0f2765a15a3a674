"""The golden page of the metrics stage: two small pictures whose figures are known. Pure.

`python -m workers.metrics.golden` does it, with --write the expected figures anew. Inception's features are not
looked at: its file is checked by its SHA-256 when it is read.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

import numpy as np

from workers.golden import Check, Tolerance, compare, draw_colours, draw_page, read_options, run_command
from workers.metrics.score import score_page

EXPECTED: Final = Path(__file__).with_name("golden.json")
TOLERANCE: Final = Tolerance(mean=1e-3, p99=2e-3)
"""As a share of each figure. They are sums of float64 and float32 on the processor, whose order may differ: by less
than 1e-6. OpenCV's conversions may round a pixel otherwise on another processor, which no figure notices as much."""


def score_golden() -> dict[str, float]:
    """The figures of the golden picture, a little too warm, beside its true colours."""
    truth = draw_colours()
    final = np.clip(truth.astype(np.int16) + np.array((9, 0, -14)), 0, 255).astype(np.uint8)
    score = score_page(final, truth, draw_page())
    assert score.final is not None
    assert score.grey is not None
    figures = {"colourfulness": score.colourfulness}
    for name, likeness in (("final", score.final), ("grey", score.grey)):
        figures |= {f"{name}.{figure}": value for figure, value in asdict(likeness).items() if value is not None}
    return figures


def check_scores() -> list[Check]:
    """The figures against those that are known, each as a share of it."""
    found, expected = score_golden(), json.loads(EXPECTED.read_text())
    shares = np.array([found.get(name, np.nan) / value for name, value in expected.items()])
    return [compare("the golden page's figures, as shares", shares, np.ones(len(expected)), TOLERANCE)]


def main(arguments: Sequence[str]) -> int:
    options = read_options("metrics", arguments)
    if options.write:
        EXPECTED.write_text(json.dumps(score_golden(), indent=1) + "\n")
    checks = check_scores()
    for check in checks:
        print(f"{check.what}: {check.said}")
    return 0 if all(check.passed for check in checks) else 1


if __name__ == "__main__":
    sys.exit(run_command(main, "metrics"))
