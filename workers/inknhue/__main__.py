"""`python -m workers.inknhue PAGE --sketch S --rough R --out DIR`: fit rough colours to a page."""

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.errors import ModelMissingError, NurieError
from common.imaging import decode_image, encode_image
from common.names import Artifact, artifact_filename
from workers.inknhue.paint import paint_page


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit code is 2 when what was given cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m workers.inknhue", description=__doc__)
    parser.add_argument("page", type=Path, metavar="PAGE", help="the grey page")
    parser.add_argument("--sketch", type=Path, required=True, help="sketch.png of the s2p stage")
    parser.add_argument("--rough", type=Path, required=True, help="rough.png of the s2p stage")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="DIR/PAGE-STEM/ gets the artifacts")
    parser.add_argument("--blend", type=float, default=0.8, help="λ: 0 all aligned, 1 all rough (default %(default)s)")
    parser.add_argument("--no-keep-lightness", action="store_true", help="take lightness from rough, not from the page")
    parser.add_argument("--weights", type=Path, metavar="DIR", help="official inkn'hue weights")
    options = parser.parse_args(arguments)
    try:
        if options.weights:
            raise ModelMissingError("official weights are not read yet; leave out --weights for the embedded painter")
        _paint_file(options)
    except (NurieError, OSError) as error:
        print(f"workers.inknhue: {error}", file=sys.stderr)
        return 2
    return 0


def _paint_file(options: argparse.Namespace) -> None:
    result = paint_page(
        _read(options.page),
        _read(options.sketch),
        _read(options.rough),
        blend=options.blend,
        keep_lightness=not options.no_keep_lightness,
    )
    folder = options.out / options.page.stem
    folder.mkdir(parents=True, exist_ok=True)
    for artifact, rgb in ((Artifact.ALIGNED, result.aligned_rgb), (Artifact.FINAL, result.final_rgb)):
        (folder / artifact_filename(artifact)).write_bytes(encode_image(rgb))


def _read(path: Path) -> NDArray[np.uint8]:
    return decode_image(path.read_bytes(), str(path))


if __name__ == "__main__":
    sys.exit(main())
