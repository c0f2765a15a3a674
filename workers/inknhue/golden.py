"""The golden page of the inknhue stage. Pure; `python -m workers.inknhue.golden` does it, with --write its result anew.

Of our own network the result is known. Of the operator's official networks nothing is: they are looked at for what any
of them must do. Our own is always done too: it shows whether PyTorch computes rightly on this machine.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from common.imaging import decode_image, encode_image
from common.lab import rgb_to_lab
from workers.golden import Check, Tolerance, compare, draw_colours, draw_page, expect, read_options, run_command
from workers.inknhue.aligner import Aligner
from workers.inknhue.paint import align_page, blend_page

EXPECTED: Final = Path(__file__).parent / "weights" / "golden.png"
TOLERANCE: Final = Tolerance(mean=0.5, p99=3.0)
"""In levels of 255. It was written in float32; in bf16, as on GPUs and processors that have it, it is off by 0.23 on
average and 1 at the 99th percentile, in fp16 by nothing. Noise of 1 % on the weights moved it by 0.6 and 4 or more, of
2 % by twice that."""
_SHIFT_PX: Final = 3


def draw_rough() -> NDArray[np.uint8]:
    """The picture's colours, a little beside where they belong: what this stage is there to put right."""
    return np.roll(draw_colours(), (_SHIFT_PX, _SHIFT_PX), axis=(0, 1))


def paint_golden(aligner: Aligner) -> NDArray[np.uint8]:
    """The final picture with the network's own lightness and as much of its colour as there may be: (128, 96, 3)."""
    page_rgb, rough_rgb = draw_page(), draw_rough()
    aligned = align_page(page_rgb, rough_rgb, aligner, keep_lightness=False)
    return blend_page(page_rgb, aligned.rgb, rough_rgb, blend=0.2, keep_lightness=False)


def check_embedded(aligner: Aligner) -> list[Check]:
    """Our own network's picture against the one that is known."""
    return [compare("the embedded network's picture", paint_golden(aligner), read_expected(), TOLERANCE)]


def check_official(aligner: Aligner) -> list[Check]:
    """What can be said of networks whose result nobody knows: paper stays light, and colours are those of the rough."""
    found = align_page(draw_page(), draw_rough(), aligner, keep_lightness=False).rgb
    lab, asked = rgb_to_lab(found), rgb_to_lab(draw_rough())
    chroma, wanted = lab[..., 1:].reshape(-1), asked[..., 1:].reshape(-1)
    alike = float(chroma @ wanted / max(float(np.linalg.norm(chroma) * np.linalg.norm(wanted)), 1e-9))
    strength = float(np.linalg.norm(chroma) / np.linalg.norm(wanted))
    return [
        expect("the official network's paper", float(lab[4:-4, :2, 0].mean()), least=50),
        expect("how much its colours go with the rough picture's", alike, least=0.5),
        expect("how strong its colours are beside the rough picture's", strength, least=0.1),
    ]


def read_expected() -> NDArray[np.uint8]:
    return decode_image(EXPECTED.read_bytes(), EXPECTED.name)


def main(arguments: Sequence[str]) -> int:
    options = read_options("inknhue", arguments)
    from workers.inknhue.aligner import open_embedded

    aligner = open_embedded()
    if options.write:
        EXPECTED.write_bytes(encode_image(paint_golden(aligner)))
    checks = check_embedded(aligner)
    for check in checks:
        print(f"{check.what}: {check.said}")
    return 0 if all(check.passed for check in checks) else 1


if __name__ == "__main__":
    sys.exit(run_command(main, "inknhue"))
