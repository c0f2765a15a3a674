"""The golden page of the s2p stage. Pure; `python -m workers.s2p.golden` does it, with --write its result anew.

Of our own network the result is known. Of the operator's official networks nothing is: they are looked at for what any
of them must do. Our own is always done too: it shows whether TensorFlow computes rightly on this machine.
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from common.hints import Hint, Hints
from common.imaging import decode_image, encode_image
from workers.golden import Check, Tolerance, compare, draw_colours, draw_page, expect, read_options, run_command
from workers.s2p.device import set_up_tensorflow
from workers.s2p.painters import Painter

PaintSmall = Callable[[NDArray[np.uint8], Hints], NDArray[np.uint8]]
"""Paints a small page (H, W, 3) uint8 RGB at about its own size."""

EXPECTED: Final = Path(__file__).parent / "weights" / "golden.png"
TOLERANCE: Final = Tolerance(mean=0.15, p99=1.5)
"""In levels of 255. Rounding the weights to bf16 moved the picture by 0.02 on average, and TF32 on GPUs rounds eight
times finer; processors differ by less. Noise of 2 % on the weights moved it by 0.19, of 3 % by 0.28."""
LEAST_REDDER: Final = 4.0
"""Levels, on average near hints."""
_RED: Final = (220, 60, 60)
_BLUE: Final = (60, 60, 220)
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


def check_official(paint: PaintSmall) -> list[Check]:
    """What can be said of networks whose result nobody knows: red hints make the page redder than blue ones do.

    At the small size of the golden page, which they are not made for: at their own, a page takes a minute on two cores.
    So the bounds are wide: they tell networks that compute nothing, or colours the wrong way round, and no more.
    """
    page_rgb, hints = draw_page(), golden_hints()
    red, blue = (
        paint(page_rgb, hints.model_copy(update={"hints": tuple(_recolour(hint, rgb) for hint in hints.hints)}))
        for rgb in (_RED, _BLUE)
    )
    warmth = [picture[..., 0].astype(np.float64) - picture[..., 2] for picture in (red, blue)]
    near = [_near(warmth[0] - warmth[1], row, column) for row, column in _DOTS]
    return [
        expect("how much redder than blue hints red ones make the page", float(np.mean(near)), least=LEAST_REDDER),
        expect("the spread of the official painter's levels", float(red.std()), least=1),
    ]


def read_expected() -> NDArray[np.uint8]:
    return decode_image(EXPECTED.read_bytes(), EXPECTED.name)


def _recolour(hint: Hint, rgb: tuple[int, int, int]) -> Hint:
    return hint.model_copy(update={"rgb": rgb})


def _near(plane: NDArray[np.float64], row: int, column: int) -> float:
    """The mean of a plane of any size around a place of the golden page."""
    down, right = plane.shape[0] * (row + 0.5) / 128, plane.shape[1] * (column + 0.5) / 96
    reach = plane.shape[0] / 32
    rows, columns = (slice(max(0, int(at - reach)), int(at + reach) + 1) for at in (down, right))
    return float(plane[rows, columns].mean())


def main(arguments: Sequence[str]) -> int:
    options = read_options("s2p", arguments)
    from workers.s2p.embedded import EmbeddedPainter

    set_up_tensorflow()
    painter = EmbeddedPainter()
    if options.write:
        EXPECTED.write_bytes(encode_image(painter.paint(draw_page(), golden_hints()).rough_rgb))
    checks = check_embedded(painter)
    for check in checks:
        print(f"{check.what}: {check.said}")
    return 0 if all(check.passed for check in checks) else 1


if __name__ == "__main__":
    sys.exit(run_command(main, "s2p"))
