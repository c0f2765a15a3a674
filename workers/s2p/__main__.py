"""Colour pages roughly from their hints: `python -m workers.s2p PAGE... --hints hints.json|hints.png... --out DIR`.

With --weights, by the official Style2Paints networks of a folder; `--check-weights DIR` looks at such a folder.
"""

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from common.errors import InputError, NurieError
from common.hints import Hint, Hints, parse_hints
from common.imaging import decode_image, encode_image
from common.names import Artifact, artifact_filename
from workers.device_choice import add_option
from workers.s2p.device import set_up_tensorflow
from workers.s2p.hints import read_hint_picture
from workers.s2p.result import S2pResult

if TYPE_CHECKING:
    from workers.s2p.official.weights import OfficialNets

TEST_CARD: Final = "style2paints-test-card.png"


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit code is 2 when what was given cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m workers.s2p", description=__doc__)
    parser.add_argument("pages", type=Path, nargs="*", metavar="PAGE", help="a grey page")
    parser.add_argument(
        "--hints", type=Path, nargs="+", help="for each page hints.json, or a picture of dots of the page's shape"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="DIR/PAGE-STEM/ gets the artifacts")
    parser.add_argument(
        "--weights", type=Path, metavar="DIR", help="folder of tail.net, reader.net, head.net, neck.net"
    )
    parser.add_argument("--face", type=Path, help="a coloured page whose mood the official networks take")
    parser.add_argument(
        "--check-weights", type=Path, metavar="DIR", help="say what a folder holds; with --out, paint a test card"
    )
    add_option(parser)
    options = parser.parse_args(arguments)
    try:
        if options.check_weights and (options.pages or options.hints or options.weights or options.face):
            raise InputError("--check-weights goes with --out only")
        if options.check_weights:
            _check_weights(options.check_weights, options.out)
        elif not (options.pages and options.hints and options.out):
            raise InputError("give PAGE, --hints and --out, or --check-weights")
        else:
            _paint_files(options)
    except (NurieError, OSError) as error:
        print(f"workers.s2p: {error}", file=sys.stderr)
        return 2
    return 0


def _paint_files(options: argparse.Namespace) -> None:
    if len(options.hints) != len(options.pages):
        raise InputError(f"--hints: give one file for each page; {len(options.hints)} for {len(options.pages)} pages")
    if len({page.stem for page in options.pages}) < len(options.pages):
        raise InputError("two pages have the same name: their results would lie in one folder")
    # All files are read before anything is painted, so that a bad one is told at once.
    hints = [_read_page_hints(page, file) for page, file in zip(options.pages, options.hints, strict=True)]
    paint = _open_painter(options)
    for page, its_hints in zip(options.pages, hints, strict=True):
        _write(paint(decode_image(page.read_bytes(), str(page)), its_hints), options.out / page.stem)


def _read_page_hints(page: Path, file: Path) -> Hints:
    height, width = decode_image(page.read_bytes(), str(page)).shape[:2]
    hints = _read_hints(file, (width, height))
    if not hints.hints:
        print(f"workers.s2p: {file}: no hints, so the page stays grey", file=sys.stderr)
    return hints


def _open_painter(options: argparse.Namespace) -> Callable[[NDArray[np.uint8], Hints], S2pResult]:
    set_up_tensorflow()
    if options.weights:
        from workers.s2p.official.painter import OfficialPainter

        face = decode_image(options.face.read_bytes(), str(options.face)) if options.face else None
        return partial(OfficialPainter.load(options.weights).paint, face_rgb=face)
    if options.face:
        raise InputError("--face is read by the official networks only: give --weights too")
    from workers.s2p.embedded import EmbeddedPainter

    return EmbeddedPainter().paint


def _write(result: S2pResult, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for artifact, rgb in ((Artifact.SKETCH, result.sketch_rgb), (Artifact.ROUGH, result.rough_rgb)):
        (folder / artifact_filename(artifact)).write_bytes(encode_image(rgb))


def _read_hints(path: Path, page_size: tuple[int, int]) -> Hints:
    data = path.read_bytes()
    if path.suffix.lower() == ".json":
        return parse_hints(data, str(path))
    return read_hint_picture(data, str(path), page_size)


def _check_weights(folder: Path, out: Path | None) -> None:
    """Say what each file holds, once all were tried out together; then paint a drawn card where there is a place."""
    from workers.s2p.official.weights import NETS, OfficialNets, check_official, digest_official, load_net

    set_up_tensorflow()
    loaded = {}
    for name in NETS:
        net = loaded[name] = load_net(folder / f"{name}.net")
        inputs, outputs = (", ".join(str(tensor.shape[-1]) for tensor in side) for side in (net.inputs, net.outputs))
        size_mb = (folder / f"{name}.net").stat().st_size / 1e6
        print(
            f"{name}.net: {size_mb:.1f} MB, {len(net.layers)} layers, {net.count_params():,} parameters; "
            f"channels {inputs} → {outputs}"
        )
    nets = OfficialNets(**loaded, digest=digest_official(folder))
    check_official(folder, nets)
    print(f"all four fit together ({nets.digest[:12]})")
    if out is not None:
        _paint_card(nets, out)


def _paint_card(nets: "OfficialNets", out: Path) -> None:
    """Two colours beside a line, as a page of the usual size: what takes a minute or more without a GPU."""
    from workers.s2p.official.painter import OfficialPainter

    page_rgb = np.full((300, 400, 3), 255, dtype=np.uint8)
    page_rgb[:, 198:202] = 20
    card = Hints(
        size=(400, 300), hints=(Hint(x=0.25, y=0.5, rgb=(220, 80, 60)), Hint(x=0.75, y=0.5, rgb=(60, 90, 220)))
    )
    result = OfficialPainter(nets).paint(page_rgb, card)
    out.mkdir(parents=True, exist_ok=True)
    (out / TEST_CARD).write_bytes(encode_image(result.rough_rgb))
    print(f"painted {out / TEST_CARD}")


if __name__ == "__main__":
    sys.exit(main())
