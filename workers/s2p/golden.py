"""The golden page of the s2p stage. Pure; `python -m workers.s2p.golden` does it, with --write its result anew.

Of our own network the result is known. Of the operator's official networks nothing is: they are looked at for what any
of them must do. Our own is always done too: it shows whether TensorFlow computes rightly on this machine.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from common.hints import Hint, Hints
from common.imaging import decode_image, encode_image
from workers.golden import Check, Tolerance, compare, draw_colours, draw_page, expect
from workers.s2p.painters import Painter
from workers.s2p.result import S2pResult

EXPECTED: Final = Path(__file__).parent / "weights" / "golden.png"
TOLERANCE: Final = Tolerance(mean=0.15, p99=1.5)
"""In levels of 255. Rounding the weights to bf16 moved the picture by 0.02 on average, and TF32 on GPUs rounds eight
times finer; processors differ by less. Noise of 2 % on the weights moved it by 0.19, of 3 % by 0.28."""
LEAST_CHROMA: Final = 6.0
"""Levels between the strongest and the weakest channel near a hint, at least, that official networks have to show."""
_DOTS: Final = ((14, 20), (28, 68), (108, 14), (60, 65), (80, 50), (100, 65))
"""Rows and columns of the hints: one in each region of the picture."""


def golden_hints() -> Hints:
    """A hint in the picture's colour in each of its regions."""
    colours = draw_colours()
    height, width = colours.shape[:2]
    return Hints(
        size=(width, height),
        hints=tuple(
            Hint(
                x=(column + 0.5) / width,
                y=(row + 0.5) / height,
                rgb=tuple(int(level) for level in colours[row, column]),
            )
            for row, column in _DOTS
        ),
    )


def check_embedded(painter: Painter) -> list[Check]:
    """Our own painter's picture against the one that is known."""
    found = painter.paint(draw_page(), golden_hints()).rough_rgb
    return [compare("the embedded painter's picture", found, read_expected(), TOLERANCE)]


def check_official(painter: Painter) -> list[Check]:
    """What can be said of networks whose result nobody knows: paper stays light, and hints show near where they are."""
    result: S2pResult = painter.paint(draw_page(), golden_hints())
    rough = result.rough_rgb.astype(np.float64)
    height, width = rough.shape[:2]
    paper = rough[2:-2, max(1, width // 96) : max(2, 2 * width // 96)]
    near = [_near(rough, row / 128 * height, column / 96 * width, height // 40) for row, column in _DOTS]
    asked = [np.array(hint.rgb, dtype=np.float64) for hint in golden_hints().hints]
    # By hue alone: how strong and how light these networks paint is theirs to choose.
    alike = float(np.mean([_correlate(one, other) for one, other in zip(near, asked, strict=True)]))
    strongest = float(np.mean([one.max() - one.min() for one in near]))
    return [
        expect("the official painter's paper", float(paper.mean()), least=128),
        expect("how much its colours go with the hints'", alike, least=0.25),
        expect("how strong its colours are near hints", strongest, least=LEAST_CHROMA),
    ]


def read_expected() -> NDArray[np.uint8]:
    return decode_image(EXPECTED.read_bytes(), EXPECTED.name)


def _near(picture: NDArray[np.float64], row: float, column: float, reach: int) -> NDArray[np.float64]:
    top, left = max(0, round(row) - reach), max(0, round(column) - reach)
    part = picture[top : round(row) + reach + 1, left : round(column) + reach + 1]
    return np.asarray(part.mean(axis=(0, 1)))


def _correlate(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    one, other = one - one.mean(), other - other.mean()
    return float(one @ other) / max(float(np.linalg.norm(one) * np.linalg.norm(other)), 1e-9)


def main(arguments: Sequence[str]) -> int:
    from workers.s2p.embedded import EmbeddedPainter

    painter = EmbeddedPainter()
    if "--write" in arguments:
        EXPECTED.write_bytes(encode_image(painter.paint(draw_page(), golden_hints()).rough_rgb))
    checks = check_embedded(painter)
    for check in checks:
        print(f"{check.what}: {check.said}")
    return 0 if all(check.passed for check in checks) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
