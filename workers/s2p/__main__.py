"""`python -m workers.s2p PAGE --hints hints.json|hints.png --out DIR`: colour a page roughly from its hints."""

import argparse
import sys
from pathlib import Path

from common.errors import ModelMissingError, NurieError
from common.hints import Hints, parse_hints
from common.imaging import decode_image, encode_image
from common.names import Artifact, artifact_filename
from workers.s2p.hints import read_hint_picture
from workers.s2p.paint import paint_page


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit code is 2 when what was given cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m workers.s2p", description=__doc__)
    parser.add_argument("page", type=Path, metavar="PAGE", help="the grey page")
    parser.add_argument(
        "--hints", type=Path, required=True, help="hints.json, or a picture of dots of the page's shape"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="DIR/PAGE-STEM/ gets the artifacts")
    parser.add_argument("--weights", type=Path, metavar="DIR", help="official Style2Paints weights")
    options = parser.parse_args(arguments)
    try:
        if options.weights:
            raise ModelMissingError("official weights are not read yet; leave out --weights for the embedded painter")
        _paint_file(options.page, options.hints, options.out / options.page.stem)
    except (NurieError, OSError) as error:
        print(f"workers.s2p: {error}", file=sys.stderr)
        return 2
    return 0


def _paint_file(page_path: Path, hints_path: Path, folder: Path) -> None:
    page_rgb = decode_image(page_path.read_bytes(), str(page_path))
    result = paint_page(page_rgb, _read_hints(hints_path, (page_rgb.shape[1], page_rgb.shape[0])))
    folder.mkdir(parents=True, exist_ok=True)
    for artifact, rgb in ((Artifact.SKETCH, result.sketch_rgb), (Artifact.ROUGH, result.rough_rgb)):
        (folder / artifact_filename(artifact)).write_bytes(encode_image(rgb))


def _read_hints(path: Path, page_size: tuple[int, int]) -> Hints:
    data = path.read_bytes()
    if path.suffix.lower() == ".json":
        return parse_hints(data, str(path))
    return read_hint_picture(data, str(path), page_size)


if __name__ == "__main__":
    sys.exit(main())
